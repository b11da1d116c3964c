// SPDX-License-Identifier: GPL-2.0-only
/* none: nothing is tracked. Its dirty phase is the baseline of all others. */
#include <stddef.h>

#include "../layers.h"

struct interface interface_none = { .name = "none" };
