{
  "includes": ["common.gypi"],
  "targets": [
    {
      "target_name": "bpf_loader",
      "dependencies": ["deps.gyp:libbpf"],
      "sources": [
        "addon.c",
        "util.c",
        "libbpf_log.c",
        "object.c",
        "map.c",
        "map_batch.c",
        "map_mmap.c",
        "prog.c",
        "link.c",
        "link_info.c",
        "tracing.c",
        "probe.c",
        "bpf_sys.c",
        "look.c",
        "clsact.c",
        "sys_fd.c",
        "sys_memlock.c",
        "sys_watch.c",
        "sys_netns.c",
        "sys_netlink.c",
        "sys_ethtool.c",
        "sys_groups.c",
        "sys_packet.c",
        "sys_pace.c",
        "sys_tap.c"
      ],
      "cflags": ["-std=gnu11", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Wno-unused-parameter"],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"],
      "ldflags": ["-Wl,--gc-sections", "-Wl,-z,now", "-Wl,--version-script=<(module_root_dir)/bpf_loader.map"]
    },
    {
      # where src/binding.ts looks for it, with the licences of what is inside
      "target_name": "prebuild",
      "type": "none",
      "dependencies": ["bpf_loader"],
      "variables": { "folder": "../prebuilds/linux-<(target_arch)" },
      "copies": [{ "files": ["<(PRODUCT_DIR)/bpf_loader.node"], "destination": "<(folder)" }],
      "actions": [
        {
          "action_name": "licenses",
          "inputs": ["licenses.sh", "<(deps)/versions"],
          "outputs": ["<(folder)/LICENSES.txt"],
          "action": ["./licenses.sh", "<(deps)", "<@(_outputs)"]
        }
      ]
    }
  ]
}
