/* Preloaded into a child of the test: tells a journal, in one total order, what the process
 * does to the files of one folder, and plays a full disk when it is asked to.
 *
 *   ATTUNE_SHIM_FOLDER   the folder to watch
 *   ATTUNE_SHIM_JOURNAL  the file that records are appended to
 *   ATTUNE_SHIM_FULL     while this file exists, the folder's disk is full
 *
 * A record is: kind (1 byte), inode, offset, length of the data (8 bytes each), data.
 * One lock is held over each call and its record, so that nothing is written while a file is
 * being synced and "before the sync" has one meaning. Memory-mapped writes are not seen: only
 * the -shm file is mapped, which does not outlive a crash anyway.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_FD 4096
enum watched { NOT = 0, FILE_IN_FOLDER, FOLDER, MESSAGES };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *full;
static int journal = -1;
static unsigned char kinds[MAX_FD];
static uint64_t inodes[MAX_FD];

__attribute__((constructor)) static void begin(void) {
    folder = getenv("ATTUNE_SHIM_FOLDER");
    full = getenv("ATTUNE_SHIM_FULL");
    const char *path = getenv("ATTUNE_SHIM_JOURNAL");
    if (folder && path)
        journal = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void put(const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t put = syscall(SYS_write, journal, at, length);
        if (put <= 0) abort();
        at += put;
        length -= put;
    }
}

static void record(char kind, uint64_t inode, uint64_t offset, const void *data, uint64_t length) {
    uint64_t numbers[3] = {inode, offset, length};
    put(&kind, 1);
    put(numbers, sizeof numbers);
    put(data, length);
}

static enum watched kind_of(int fd) { return fd >= 0 && fd < MAX_FD ? kinds[fd] : NOT; }

static int is_full(int fd) {
    return kind_of(fd) == FILE_IN_FOLDER && full && syscall(SYS_faccessat, AT_FDCWD, full, F_OK) == 0;
}

static enum watched classify(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    if (journal < 0 || strncmp(path, folder, length) != 0) return NOT;
    if (path[length] == '\0') return FOLDER;
    return strcmp(path + length, "/messages") == 0 ? MESSAGES : FILE_IN_FOLDER;
}

static int opened(const char *path, int flags, mode_t mode) {
    enum watched kind = classify(path);
    pthread_mutex_lock(&lock);
    int existed = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
    int fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int error = errno;
    if (fd >= MAX_FD && kind != NOT) abort();
    if (fd >= 0 && fd < MAX_FD) {
        struct stat status;
        kinds[fd] = kind;
        if (kind != NOT && fstat(fd, &status) == 0) inodes[fd] = status.st_ino;
        if (kind == FILE_IN_FOLDER && !existed) record('C', inodes[fd], 0, path, strlen(path));
        if (kind == FILE_IN_FOLDER && existed && (flags & O_TRUNC)) record('T', inodes[fd], 0, "", 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define OPEN(name)                                    \
    int name(const char *path, int flags, ...) {      \
        va_list rest;                                 \
        va_start(rest, flags);                        \
        mode_t mode = va_arg(rest, mode_t);           \
        va_end(rest);                                 \
        return opened(path, flags, mode);             \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < MAX_FD) kinds[fd] = NOT;
    int result = syscall(SYS_close, fd);
    pthread_mutex_unlock(&lock);
    return result;
}

static ssize_t written_at(int fd, const void *bytes, size_t length, off64_t offset) {
    if (kind_of(fd) != FILE_IN_FOLDER) return syscall(SYS_pwrite64, fd, bytes, length, offset);
    if (is_full(fd)) return errno = ENOSPC, -1;
    pthread_mutex_lock(&lock);
    ssize_t result = syscall(SYS_pwrite64, fd, bytes, length, offset);
    int error = errno;
    if (result > 0) record('W', inodes[fd], offset, bytes, result);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return written_at(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    return written_at(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (kind_of(fd) == FILE_IN_FOLDER)
        abort(); /* SQLite writes at offsets; a plain write would need a position in the record */
    if (kind_of(fd) != MESSAGES) return syscall(SYS_write, fd, bytes, length);
    pthread_mutex_lock(&lock);
    record('M', 0, 0, bytes, length);
    pthread_mutex_unlock(&lock);
    return length;
}

static int synced(int fd, long call) {
    if (kind_of(fd) != FILE_IN_FOLDER && kind_of(fd) != FOLDER) return syscall(call, fd);
    if (is_full(fd)) return errno = ENOSPC, -1;
    pthread_mutex_lock(&lock);
    int result = syscall(call, fd);
    int error = errno;
    if (result == 0) record(kind_of(fd) == FOLDER ? 'D' : 'S', inodes[fd], 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int truncated(int fd, off64_t size) {
    if (kind_of(fd) != FILE_IN_FOLDER) return syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_ftruncate, fd, size);
    int error = errno;
    if (result == 0) record('T', inodes[fd], size, "", 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int ftruncate(int fd, off_t size) { return truncated(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncated(fd, size); }

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    int error = errno;
    if (result == 0 && classify(path) == FILE_IN_FOLDER) record('U', 0, 0, path, strlen(path));
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
