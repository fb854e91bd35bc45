/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

char *pv_escape_controls (const char *text);
