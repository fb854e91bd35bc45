/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One file per task. */
int pvctl_doctor (int argc, char **argv);
int pvctl_explain (int argc, char **argv);
int pvctl_gc (int argc, char **argv);
int pvctl_runtime (int argc, char **argv);
int pvctl_runtime_build (int argc, char **argv);
int pvctl_runtime_list (int argc, char **argv);
