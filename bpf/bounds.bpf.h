/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Bounds that every verifier follows.
 */
#pragma once

/*
 * An index below a power of two, bounded in the very register that is used. The verifier of 6.1 forgets the bounds when a copy of the index
 * was compared.
 */
#define VF_BELOW(n, power) ({ __u64 below = (n); asm volatile("%0 &= %1" : "+r"(below) : "i"((power) - 1)); below; })

/*
 * The same number, of which the verifier knows no more than of `unknown`. It would otherwise follow each way by which the number came about
 * for as long as it can tell them apart.
 */
#define VF_UNKNOWN(n, unknown) ({ __u64 same = (n); asm volatile("%0 ^= %1\n%0 ^= %1" : "+r"(same) : "r"(unknown)); same; })
