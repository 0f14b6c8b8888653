/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What elfutils' configure finds out about gcc and glibc, for libelf alone: no locks (an Elf belongs to one thread), no compression
 * but zlib's.
 */
#define _GNU_SOURCE 1
#define PACKAGE_NAME "elfutils"
#define HAVE_VISIBILITY 1
#define HAVE_GCC_STRUCT 1
#define HAVE_FALLTHROUGH 1
#define HAVE_STDATOMIC_H 1
#define HAVE_ERROR_H 1
#define HAVE_MREMAP 1
#define HAVE_DECL_RAWMEMCHR 1
#define HAVE_DECL_MEMRCHR 1
#define HAVE_DECL_MEMPCPY 1
#define HAVE_DECL_POWEROF2 1
#define HAVE_DECL_REALLOCARRAY 1

#include <eu-config.h>
