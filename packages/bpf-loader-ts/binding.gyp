{
  "targets": [
    {
      "target_name": "bpf_loader",
      "sources": [
        "native/addon.c",
        "native/util.c",
        "native/libbpf_log.c",
        "native/object.c",
        "native/map.c",
        "native/map_batch.c",
        "native/map_mmap.c",
        "native/prog.c",
        "native/link.c",
        "native/link_info.c",
        "native/tracing.c",
        "native/probe.c",
        "native/bpf_sys.c",
        "native/look.c",
        "native/clsact.c",
        "native/sys_fd.c",
        "native/sys_memlock.c",
        "native/sys_watch.c",
        "native/sys_netns.c",
        "native/sys_netlink.c",
        "native/sys_ethtool.c",
        "native/sys_packet.c",
        "native/sys_tap.c"
      ],
      "cflags": ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Wno-unused-parameter", "-fvisibility=hidden"],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"],
      "libraries": ["-lbpf"]
    }
  ]
}
