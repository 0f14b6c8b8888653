/** A map as the object file describes it. */
export interface MapSpec {
  name: string;
  /** MapType. */
  type: number;
  /** As bpftool says it: `percpu_hash`. */
  typeName: string;
  /** Bytes. */
  keySize: number;
  /** Bytes; of one CPU's value for per-CPU maps. */
  valueSize: number;
  maxEntries: number;
  flags: number;
  mapExtra: number;
  /** True for .rodata, .data, .bss and the like. */
  internal: boolean;
  /** Numbers of the types of key and value in `btf`; 0 where the source names none. */
  keyType: number;
  valueType: number;
  /** Where libbpf pins it at load, or takes it from (LIBBPF_PIN_BY_NAME). */
  pinPath?: string;
  /** What the maps of a map of maps are like. */
  inner?: MapSpec;
}

/** A program as the object file describes it. */
export interface ProgramSpec {
  name: string;
  /** `tc`, `xdp`, `kprobe/do_exit` … */
  section: string;
  /** ProgType. */
  type: number;
  typeName: string;
  /** AttachType. */
  expectedAttachType: number;
  /** Before relocation. */
  instructions: number;
}

/** A global variable as the object file describes it. */
export interface VariableSpec {
  name: string;
  /** `.rodata`, `.data`, `.bss`, `.data.custom` … */
  section: string;
  /** Bytes from the section's start. */
  offset: number;
  /** Bytes. */
  size: number;
  /** Number of its type in `btf`. */
  type: number;
  /** Of `.rodata` (set before load, fixed after it) or `.kconfig` (set by libbpf from the kernel's configuration). */
  constant: boolean;
}

/** What parseSpec() may be told. */
export interface SpecOptions {
  /** Prefix of the names of .rodata and .bss maps, up to 15 characters; from the file's name unless given. */
  name?: string;
}

/** The section of an internal map: libbpf puts the object's name before the standard ones. */
export const sectionOf = (map: MapSpec): string => map.name.slice(map.name.indexOf('.'));
