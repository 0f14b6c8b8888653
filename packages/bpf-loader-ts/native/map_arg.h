/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "util.h"

/*
 * The memory behind argument i, from `least` to `most` bytes of it; else a RangeError. The kernel takes sizes on trust: TypeScript checks
 * them and says what they must be, the comparison here is with the true length, which no getter of a subclass can lie about.
 */
bool map_arg_bytes(struct args *a, size_t i, const char *name, size_t least, size_t most, void **p);
