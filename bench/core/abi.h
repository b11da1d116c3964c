/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel ABI, declared once, for building with headers older than the kernel that is measured
 * (Debian 12's headers are 6.1's). Numbers and layouts: include/uapi/linux/fs.h and userfaultfd.h.
 */
#ifndef BENCH_ABI_H
#define BENCH_ABI_H

#include <linux/fs.h>
#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/userfaultfd.h>

#ifndef PAGEMAP_SCAN /* Linux 6.7, 52526ca7fdb9 */

struct page_region {
	__u64 start;      /* address of the first byte */
	__u64 end;        /* address after the last byte */
	__u64 categories; /* PAGE_IS_* bits asked for by return_mask */
};

#define PM_SCAN_WP_MATCHING (1 << 0)   /* write-protect the pages that match */
#define PM_SCAN_CHECK_WPASYNC (1 << 1) /* EPERM unless every VMA is registered WP_ASYNC */

struct pm_scan_arg {
	__u64 size;                /* of this struct: 96 */
	__u64 flags;               /* PM_SCAN_* */
	__u64 start;               /* page-aligned address */
	__u64 end;                 /* exclusive; rounded up to a page */
	__u64 walk_end;            /* out: where the walk stopped; resume there */
	__u64 vec;                 /* struct page_region array, or 0 */
	__u64 vec_len;             /* its length in regions */
	__u64 max_pages;           /* stop after so many matching pages; 0: no limit */
	__u64 category_inverted;   /* PAGE_IS_* that must be absent where the masks below name them */
	__u64 category_mask;       /* PAGE_IS_* that must all match */
	__u64 category_anyof_mask; /* PAGE_IS_* of which one must match */
	__u64 return_mask;         /* PAGE_IS_* to put into page_region.categories */
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif

/*
 * The v6 series of November 2022, never merged: lore 20221109102303.851281-3-usama.anjum@collabora.com.
 * Number and size differ from the merged ABI's; v10 (February 2023) has the same and other semantics.
 */
struct v6_page_region {
	__u64 start;  /* address of the first byte */
	__u64 len;    /* in pages */
	__u64 bitmap; /* V6_PAGE_IS_* asked for by return_mask */
};

struct v6_scan_arg {
	__u64 start;         /* page-aligned address */
	__u64 len;           /* in bytes */
	__u64 vec;           /* struct v6_page_region array, or 0 */
	__u64 vec_len;       /* its length in regions; the kernel allocates as many for each call */
	__u32 max_pages;     /* stop after so many pages; 0: no limit */
	__u32 flags;         /* V6_SOFTDIRTY_CLEAR, V6_NO_REUSED_REGIONS */
	__u64 required_mask; /* V6_PAGE_IS_* that must all match */
	__u64 anyof_mask;    /* of which one must match */
	__u64 excluded_mask; /* of which none may match */
	__u64 return_mask;   /* to put into v6_page_region.bitmap */
};

#define V6_PAGEMAP_SCAN _IOWR('f', 16, struct v6_scan_arg)
#define V6_SOFTDIRTY_CLEAR (1 << 0)   /* clear the soft-dirty bit of the pages that match */
#define V6_NO_REUSED_REGIONS (1 << 1) /* look at the pages' bits alone, not at VM_SOFTDIRTY */
#define V6_PAGE_IS_SOFTDIRTY (1 << 0)
#define V6_PAGE_IS_PRESENT (1 << 2)

#ifndef PAGE_IS_PRESENT
#define PAGE_IS_FILE (1 << 2)
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_SWAPPED (1 << 4)
#define PAGE_IS_PFNZERO (1 << 5)
#endif
#ifndef PAGE_IS_WRITTEN
#define PAGE_IS_WRITTEN (1 << 1)
#endif
#ifndef PAGE_IS_SOFT_DIRTY /* Linux 6.8, e6a9a2cbc13b */
#define PAGE_IS_SOFT_DIRTY (1 << 7)
#endif
#ifndef UFFD_USER_MODE_ONLY /* Linux 5.11, 37cd0575b851 */
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED /* Linux 6.4, 2bad466cc9d9 */
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC /* Linux 6.7, d61ea1cb0095 */
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

#ifndef UFFD_FEATURE_MOVE /* Linux 6.8, adef440691ba */
#define UFFD_FEATURE_MOVE (1 << 16)
#endif
/* under a name of its own: headers have it or not, and no macro says so */
struct own_uffdio_move {
	__u64 dst, src, len; /* page-aligned addresses, bytes */
	__u64 mode;
	__s64 move; /* out: bytes that were moved, or a negative errno */
};

#define OWN_UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct own_uffdio_move)

/* Linux 7.3, tracking of what is accessed: Documentation/admin-guide/mm/userfaultfd.rst */
#ifndef UFFDIO_REGISTER_MODE_RWP
#define UFFDIO_REGISTER_MODE_RWP (1 << 3)
#define UFFD_FEATURE_RWP (1 << 17)
#define UFFD_FEATURE_RWP_ASYNC (1 << 18) /* the kernel lifts the protection by itself, and sends no message */
#define UFFDIO_RWPROTECT_MODE_RWP (1 << 0)

struct uffdio_rwprotect {
	struct uffdio_range range; /* page-aligned address and length in bytes */
	__u64 mode;                /* MODE_RWP protects; 0 lifts the protection, and wakes who waits */
};

#define UFFDIO_RWPROTECT _IOWR(UFFDIO, 0x09, struct uffdio_rwprotect)
#endif
#ifndef PAGE_IS_ACCESSED
#define PAGE_IS_ACCESSED (1 << 9)
#endif
#ifndef UFFDIO_SET_MODE
struct uffdio_set_mode {
	__u64 enable, disable; /* UFFD_FEATURE_*: RWP_ASYNC is the only one that can change */
};

#define UFFDIO_SET_MODE _IOW(UFFDIO, 0x0A, struct uffdio_set_mode)
#endif

#define PAGEMAP_SOFT_DIRTY_BIT 55 /* Documentation/admin-guide/mm/pagemap.rst */

#endif
