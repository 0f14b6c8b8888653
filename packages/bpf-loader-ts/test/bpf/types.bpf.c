/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Every kind of type that a value can have. `fill` writes known values, `check` reads them back and says which are wrong.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum shade { DARK = -2, LIGHT = 7 };

struct inner {
	__u16 a;
	__s8 b;
};

struct bits {
	__u32 low : 3;
	__s32 signed_five : 5;
	__u32 across : 17;
	__u32 rest : 7;
	__u64 wide : 40;
	__s64 wide_signed : 24;
	enum shade shade : 4;
};

struct __attribute__((packed)) packed {
	__u8 first;
	__u64 second;
	__u16 third : 11;
	__u32 fourth : 21;
};

union either {
	__u32 number;
	__u8 octets[4];
	struct inner inner;
};

struct all {
	__u8 u8;
	__s8 s8;
	__u16 u16;
	__s16 s16;
	__u32 u32;
	__s32 s32;
	__u64 u64;
	__s64 s64;
	bool yes;
	enum shade shade;
	char text[8];
	__u8 octets[6];
	__u16 numbers[3];
	__s64 grid[2][2];
	struct inner inners[2];
	struct inner inner;
	struct {
		__u32 x, y;
	} point;
	union {
		__u32 anonymous_number;
		struct {
			__u16 half;
			__u16 other;
		};
	};
	union either either;
	struct bits bits;
	struct packed packed;
	unsigned long long plain;
	__int128 huge;
	__u8 constructor;
	__u8 last;
};

struct key {
	__u32 id;
	__u8 tag[4];
};

typedef struct {
	__u32 n;
} nameless_t;

struct record {
	__u64 seq;
	enum shade shade;
};

struct all seen;
struct all given;
nameless_t nameless = { 5 };
__s32 wrong = 0;
static volatile __u32 hidden = 9;
const volatile struct record record_type __attribute__((used)) = {};
const volatile int table[3] = { 1, -2, 3 };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct key);
	__type(value, struct all);
} things SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16);
	__type(key, enum shade);
	__type(value, struct inner);
} shades SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct all);
} mapped SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8);
	__type(value, struct record);
} jobs SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 8);
	__type(value, __u32);
} known SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__uint(key_size, 3);
	__uint(value_size, 5);
} plain SEC(".maps");

static __always_inline void values(struct all *to)
{
	__builtin_memset(to, 0, sizeof(*to));
	to->u8 = 200;
	to->s8 = -100;
	to->u16 = 60000;
	to->s16 = -30000;
	to->u32 = 4000000000u;
	to->s32 = -2000000000;
	to->u64 = 0xfedcba9876543210ull;
	to->s64 = -0x123456789abcdefll;
	to->yes = true;
	to->shade = DARK;
	to->text[0] = 'v';
	to->text[1] = 'f';
	to->octets[5] = 0xee;
	to->numbers[1] = 0xabcd;
	to->grid[1][0] = -7;
	to->inners[1].a = 515;
	to->inners[1].b = -5;
	to->inner.a = 1;
	to->point.y = 77;
	to->anonymous_number = 0x00020001;
	to->either.number = 0x04030201;
	to->bits.low = 5;
	to->bits.signed_five = -9;
	to->bits.across = 0x1abcd;
	to->bits.rest = 0x55;
	to->bits.wide = 0xab12345678ull;
	to->bits.wide_signed = -3;
	to->bits.shade = LIGHT;
	to->packed.first = 1;
	to->packed.second = 0x1122334455667788ull;
	to->packed.third = 0x7aa;
	to->packed.fourth = 0x155555;
	to->plain = 3;
	to->huge = -2;
	to->constructor = 4;
	to->last = 255;
}

SEC("tc")
int fill(struct __sk_buff *skb)
{
	values(&seen);
	return 0;
}

/* The number of the first member of `given` that is not what `fill` writes; 0 if all are. */
SEC("tc")
int check(struct __sk_buff *skb)
{
	struct all *g = &given;

#define IS(n, what) if (!(what)) { wrong = n; return n; }
	wrong = 0;
	IS(1, g->u8 == 200 && g->s8 == -100 && g->u16 == 60000 && g->s16 == -30000)
	IS(2, g->u32 == 4000000000u && g->s32 == -2000000000)
	IS(3, g->u64 == 0xfedcba9876543210ull && g->s64 == -0x123456789abcdefll)
	IS(4, g->yes && g->shade == DARK)
	IS(5, g->text[0] == 'v' && g->text[1] == 'f' && g->text[2] == 0)
	IS(6, g->octets[5] == 0xee && g->octets[0] == 0)
	IS(7, g->numbers[0] == 0 && g->numbers[1] == 0xabcd)
	IS(8, g->grid[0][1] == 0 && g->grid[1][0] == -7)
	IS(9, g->inners[1].a == 515 && g->inners[1].b == -5 && g->inner.a == 1)
	IS(10, g->point.x == 0 && g->point.y == 77)
	IS(11, g->half == 1 && g->other == 2)
	IS(12, g->either.number == 0x04030201)
	IS(13, g->bits.low == 5 && g->bits.signed_five == -9)
	IS(14, g->bits.across == 0x1abcd && g->bits.rest == 0x55)
	IS(15, g->bits.wide == 0xab12345678ull && g->bits.wide_signed == -3)
	IS(16, g->bits.shade == LIGHT)
	IS(17, g->packed.first == 1 && g->packed.second == 0x1122334455667788ull)
	IS(18, g->packed.third == 0x7aa && g->packed.fourth == 0x155555)
	IS(19, g->plain == 3)
	IS(20, g->huge == -2)
	IS(21, g->constructor == 4 && g->last == 255)
	return 0;
}

SEC("tc")
int peep(struct __sk_buff *skb)
{
	return hidden + nameless.n + table[1];
}

char LICENSE[] SEC("license") = "GPL";
