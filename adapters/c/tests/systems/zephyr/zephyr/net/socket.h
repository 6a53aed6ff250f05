struct zsock_pollfd {
    int fd;
    short events;
    short revents;
};
#define ZSOCK_POLLIN 1
#define ZSOCK_POLLOUT 4
int zsock_poll(struct zsock_pollfd *fds, int nfds, int timeout);
