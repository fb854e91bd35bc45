/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

int pv_inside (int argc, char **argv);
