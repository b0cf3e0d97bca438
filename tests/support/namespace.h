/* SPDX-License-Identifier: MPL-2.0 */
/* A network and an /etc of a test's own, so that it decides what hosts' names mean. The system's `unshare`
 * makes them: for root, or in a user namespace, which the system must allow. */
#ifndef KV_TESTS_SUPPORT_NAMESPACE_H
#define KV_TESTS_SUPPORT_NAMESPACE_H

/* To be called first in main: runs the program again in namespaces of its own, with a loopback device that is
 * up. Returns in there. Ends the program, loudly, where the system allows none of it. */
void namespace_enter(char **arguments);

/* What /etc/hosts and /etc/resolv.conf say from now on. */
void namespace_names(const char *hosts, const char *resolv_conf);

/* Removes what was made. To be called last. */
void namespace_leave(void);

#endif
