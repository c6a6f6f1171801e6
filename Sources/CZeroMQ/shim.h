#include <sys/eventfd.h>  // Glibc's Swift module leaves it out
#include <zmq.h>
