/* SPDX-License-Identifier: MPL-2.0 */
/* Gives a test its own network and its own /etc, so that it controls how host names are resolved. unshare(1)
 * makes them. It needs root, or a system that allows user namespaces. */
#ifndef KV_TESTS_SUPPORT_NAMESPACE_H
#define KV_TESTS_SUPPORT_NAMESPACE_H

/* Call this first in main. Runs the program again in its own namespaces, with loopback up, and returns there.
 * Ends the program with an error if the system does not allow it. */
void namespace_enter(char **arguments);

/* Sets the contents of /etc/hosts and /etc/resolv.conf. */
void namespace_names(const char *hosts, const char *resolv_conf);

/* Removes what was made. Call this last. */
void namespace_leave(void);

#endif
