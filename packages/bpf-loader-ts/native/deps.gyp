# What the addon carries inside: Debian's sources as they are, each with the files that its own makefile lists.
{
  "includes": ["common.gypi"],
  "target_defaults": {
    "cflags": ["-w"],
    # Node's headers have a zlib.h of another version
    "include_dirs/": [["exclude", "^<(node_root_dir)/"]]
  },
  "targets": [
    {
      "target_name": "libbpf",
      "type": "static_library",
      "dependencies": ["libelf", "zlib"],
      "sources": ["<!@(ls <(deps)/libbpf/src/*.c)"],
      "include_dirs": ["<(deps)/libbpf/include", "<(deps)/libbpf/include/uapi"],
      "defines": ["_LARGEFILE64_SOURCE", "_FILE_OFFSET_BITS=64"],
      # <bpf/libbpf.h>
      "direct_dependent_settings": { "include_dirs": ["<(deps)/libbpf"] }
    },
    {
      "target_name": "libelf",
      "type": "static_library",
      "dependencies": ["zlib"],
      "sources": ["<!@(ls <(deps)/elfutils/libelf/*.c)"],
      "include_dirs": ["elfutils", "<(deps)/elfutils/lib", "<(deps)/elfutils/libelf"],
      "defines": ["HAVE_CONFIG_H"],
      "direct_dependent_settings": { "include_dirs": ["<(deps)/elfutils/libelf"] }
    },
    {
      "target_name": "zlib",
      "type": "static_library",
      "sources": ["<!@(ls <(deps)/zlib/*.c)"],
      "defines": ["_LARGEFILE64_SOURCE=1", "HAVE_HIDDEN", "HAVE_UNISTD_H"],
      "direct_dependent_settings": { "include_dirs": ["<(deps)/zlib"] }
    }
  ]
}
