/* lwIP's own fd_set and timeval have these members and macros, too. */
#include <sys/select.h>
int lwip_select(int maxfdp1, fd_set *readset, fd_set *writeset, fd_set *exceptset, struct timeval *timeout);
