/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in a folder of mutable copies: "Mutable copies" in lock/locking.md. */
#pragma once

#define PV_COPY_LOCK ".ref"
#define PV_COPY_KEEP "keep"
#define PV_COPY_PREFIX "tmp-"
#define PV_COPY_TRASH ".trash-"
#define PV_COPY_BASE "base-"
#define PV_COPY_STAGING ".new-"
#define PV_COPY_MANIFEST "manifest"
