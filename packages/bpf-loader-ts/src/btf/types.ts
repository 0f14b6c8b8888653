/** Types as BTF knows them (Documentation/bpf/btf.rst). `type` is always the number of another type of the same BTF. */

export interface BtfVoid {
  kind: 'void';
  name: '';
}

/** An integer, also `char` and `bool`. */
export interface BtfInt {
  kind: 'int';
  name: string;
  /** Bytes. */
  size: number;
  /** Bits that count, and where they begin: another width than 8 × size is a bitfield of old compilers. */
  bits: number;
  bitOffset: number;
  encoding: 'unsigned' | 'signed' | 'char' | 'bool';
}

/** A floating-point number (Linux 5.13). */
export interface BtfFloat {
  kind: 'float';
  name: string;
  /** Bytes. */
  size: number;
}

/** Kinds that only refer to another: looked through by `Btf.resolve`. */
export interface BtfModifier {
  kind: 'typedef' | 'volatile' | 'const' | 'restrict' | 'type_tag';
  name: string;
  type: number;
}

/** A pointer to `type`. */
export interface BtfPointer {
  kind: 'ptr';
  name: '';
  type: number;
}

/** An array of `type`. */
export interface BtfArray {
  kind: 'array';
  name: '';
  type: number;
  indexType: number;
  /** Elements; 0 for a flexible array member. */
  length: number;
}

/** A member of a structure or union. */
export interface BtfMember {
  /** Empty for an anonymous structure or union: its members are members of the outer one. */
  name: string;
  type: number;
  /** From the structure's start. */
  bitOffset: number;
  /** Width of a bitfield; 0 for any other member. */
  bitSize: number;
}

/** A structure or union. */
export interface BtfComposite {
  kind: 'struct' | 'union';
  name: string;
  /** Bytes. */
  size: number;
  members: readonly BtfMember[];
}

/** An enumeration. */
export interface BtfEnum {
  /** `enum64` too. */
  kind: 'enum';
  name: string;
  /** Bytes. */
  size: number;
  /** False where the compiler does not say (clang before 15): values below zero are 2^32 more then. */
  signed: boolean;
  values: readonly { name: string; value: bigint }[];
}

/** A structure or union of which only the name is known. */
export interface BtfForward {
  kind: 'fwd';
  name: string;
  of: 'struct' | 'union';
}

/** A function by name. */
export interface BtfFunction {
  kind: 'func';
  name: string;
  /** A `func_proto`. */
  type: number;
}

/** What a function takes and returns. */
export interface BtfFunctionProto {
  kind: 'func_proto';
  name: '';
  /** What it returns. */
  type: number;
  parameters: readonly { name: string; type: number }[];
}

/** A variable. */
export interface BtfVar {
  kind: 'var';
  name: string;
  type: number;
  linkage: 'static' | 'global' | 'extern';
}

/** A section and the variables in it. */
export interface BtfDataSection {
  kind: 'datasec';
  name: string;
  /** Bytes; 0 in a file that libbpf has not opened. */
  size: number;
  /** `type` is a `var`; offset (0 likewise) and size in bytes. */
  variables: readonly { type: number; offset: number; size: number }[];
}

/** `__attribute__((btf_decl_tag("name")))` of `type` (Linux 5.16). */
export interface BtfDeclTag {
  kind: 'decl_tag';
  name: string;
  type: number;
}

/** Any type. */
export type BtfType =
  | BtfVoid
  | BtfInt
  | BtfFloat
  | BtfModifier
  | BtfPointer
  | BtfArray
  | BtfComposite
  | BtfEnum
  | BtfForward
  | BtfFunction
  | BtfFunctionProto
  | BtfVar
  | BtfDataSection
  | BtfDeclTag;

/** What tells types apart. */
export type BtfKind = BtfType['kind'];
type OfKind<T extends BtfType, K> = T extends BtfType ? (K extends T['kind'] ? T : never) : never;
/** The type of that kind. */
export type BtfTypeOf<K extends BtfKind> = OfKind<BtfType, K>;
