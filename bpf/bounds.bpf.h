/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Bounds that every verifier follows.
 */
#pragma once

/* An index below a power of two, bounded in the very register that is used: the verifier of 6.1 forgets what a copy of it was compared with. */
#define VF_BELOW(n, power) ({ __u64 below = (n); asm volatile("%0 &= %1" : "+r"(below) : "i"((power) - 1)); below; })

/*
 * The same number, of which the verifier knows nothing more than of `unknown`: it would go on with each of the ways that a number was come
 * by, for as long as it knows them apart.
 */
#define VF_UNKNOWN(n, unknown) ({ __u64 same = (n); asm volatile("%0 ^= %1\n%0 ^= %1" : "+r"(same) : "r"(unknown)); same; })
