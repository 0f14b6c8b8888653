{
  "variables": {
    # Debian's sources, unpacked by fetch-deps.sh
    "deps": "../deps",
    # 1: AddressSanitizer and UndefinedBehaviorSanitizer in all of it (`make test-sanitizers`)
    "sanitize%": 0
  },
  "target_defaults": {
    "cflags": ["-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"],
    "conditions": [
      ["sanitize==1", {
        "cflags": ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
        "ldflags": ["-fsanitize=address,undefined"]
      }, {
        "ldflags": ["-s"]
      }]
    ]
  }
}
