/* A device of GM/T 0018 for tests. SM2 is openssl's, in processes of its own that read the keys, so that no key is ever in the
 * process that loads this library. What the device is like is read at every call from files beside the library:
 * password, sign_N.pem, enc_N.pem, and fault: nothing, gone, code, or hang. Offered passwords are counted in the file offers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define OK 0
#define COMMFAIL 0x01000003
#define PARDENY 0x01000007
#define KEYNOTEXIST 0x01000008
#define SKOPERR 0x0100000c
#define INARGERR 0x0100001d
#define SGD_SM2_3 0x00020800

typedef struct { unsigned int bits; unsigned char x[64], y[64]; } ECCrefPublicKey;
typedef struct { unsigned char r[64], s[64]; } ECCSignature;
typedef struct { unsigned char x[64], y[64], M[32]; unsigned int L; unsigned char C[]; } ECCCipher;
typedef struct { unsigned int granted; } Session;

static int here(char *path, size_t size, const char *name) {
    Dl_info info;
    if (!dladdr((void *)here, &info)) return -1;
    const char *slash = strrchr(info.dli_fname, '/');
    snprintf(path, size, "%.*s/%s", (int)(slash - info.dli_fname), info.dli_fname, name);
    return 0;
}

static int line_of(const char *name, char *line, size_t size) {
    char path[512];
    here(path, sizeof path, name);
    FILE *file = fopen(path, "r");
    memset(line, 0, size);
    if (!file) return -1;
    setvbuf(file, NULL, _IONBF, 0); /* a freed buffer of the library's would keep the password */
    if (!fgets(line, (int)size, file)) line[0] = 0;
    fclose(file);
    line[strcspn(line, "\n")] = 0;
    return 0;
}

static int fault(void) {
    char line[16];
    line_of("fault", line, sizeof line);
    while (!strcmp(line, "hang")) {
        usleep(5000);
        line_of("fault", line, sizeof line);
    }
    if (!strcmp(line, "gone")) return COMMFAIL;
    if (!strcmp(line, "code")) return SKOPERR;
    return OK;
}

/* Gives input to openssl by a file, and reads what it writes. */
static int openssl(const char *verb, const char *key, const unsigned char *in, size_t in_length, unsigned char *out, size_t *length) {
    char from[] = "/tmp/sdf-in-XXXXXX", to[] = "/tmp/sdf-out-XXXXXX", path[512];
    if (here(path, sizeof path, key) || access(path, R_OK)) return KEYNOTEXIST;
    int source = mkstemp(from), target = mkstemp(to), status = -1;
    if (source < 0 || target < 0 || write(source, in, in_length) != (ssize_t)in_length) return SKOPERR;
    char *arguments[] = {"openssl", "pkeyutl", (char *)verb, "-inkey", path, "-in", from, "-out", to, NULL};
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0);
    pid_t child;
    if (!posix_spawnp(&child, "openssl", &quiet, NULL, arguments, environ)) waitpid(child, &status, 0);
    ssize_t got = read(target, out, *length);
    posix_spawn_file_actions_destroy(&quiet);
    close(source), close(target), unlink(from), unlink(to);
    if (status || got < 0) return SKOPERR;
    *length = (size_t)got;
    return OK;
}

static size_t put_length(unsigned char *at, unsigned char tag, size_t length) {
    at[0] = tag;
    if (length < 128) { at[1] = length; return 2; }
    at[1] = 0x82, at[2] = length >> 8, at[3] = length & 255;
    return 4;
}

/* INTEGER of the right half of a field. */
static size_t put_number(unsigned char *at, const unsigned char *field) {
    const unsigned char *digits = field + 32;
    size_t length = 32;
    while (length > 1 && !*digits) digits++, length--;
    size_t pad = *digits >> 7, head = put_length(at, 2, length + pad);
    at[head] = 0;
    memcpy(at + head + pad, digits, length);
    return head + pad + length;
}

static const unsigned char *take_number(const unsigned char *at, unsigned char *field) {
    size_t length = at[1];
    const unsigned char *digits = at + 2;
    while (length > 32) digits++, length--;
    memset(field, 0, 64);
    memcpy(field + 64 - length, digits, length);
    return digits + length;
}

int SDF_OpenDevice(void **device) { int code = fault(); *device = device; return code; }
int SDF_CloseDevice(void *device) { (void)device; return OK; }
int SDF_OpenSession(void *device, void **session) {
    (void)device;
    int code = fault();
    if (!code) *session = calloc(1, sizeof(Session));
    return code;
}
int SDF_CloseSession(void *session) { free(session); return OK; }

int SDF_GenerateRandom(void *session, unsigned int length, unsigned char *out) {
    (void)session;
    FILE *file = fopen("/dev/urandom", "r");
    size_t got = fread(out, 1, length, file);
    fclose(file);
    return got == length ? fault() : SKOPERR;
}

int SDF_GetPrivateKeyAccessRight(void *session, unsigned int index, unsigned char *password, unsigned int length) {
    char right[64], path[512];
    int code = fault();
    if (code) return code;
    here(path, sizeof path, "offers");
    FILE *file = fopen(path, "a");
    fputs("offered\n", file);
    fclose(file);
    line_of("password", right, sizeof right);
    int fits = strlen(right) == length && !memcmp(right, password, length);
    explicit_bzero(right, sizeof right);
    if (!fits) return PARDENY;
    ((Session *)session)->granted |= 1u << index;
    return OK;
}
int SDF_ReleasePrivateKeyAccessRight(void *session, unsigned int index) { ((Session *)session)->granted &= ~(1u << index); return OK; }

static int public_of(const char *kind, unsigned int index, ECCrefPublicKey *key) {
    char path[512], name[32], command[640];
    snprintf(name, sizeof name, "%s_%u.pem", kind, index);
    here(path, sizeof path, name);
    if (access(path, R_OK)) return KEYNOTEXIST;
    snprintf(command, sizeof command, "openssl pkey -in '%s' -pubout -outform DER 2>/dev/null", path);
    unsigned char der[256];
    FILE *pipe = popen(command, "r");
    size_t length = fread(der, 1, sizeof der, pipe);
    if (pclose(pipe) || length < 64) return SKOPERR;
    memset(key, 0, sizeof *key);
    key->bits = 256;
    memcpy(key->x + 32, der + length - 64, 32);
    memcpy(key->y + 32, der + length - 32, 32);
    return fault();
}
int SDF_ExportSignPublicKey_ECC(void *session, unsigned int index, ECCrefPublicKey *key) { (void)session; return public_of("sign", index, key); }
int SDF_ExportEncPublicKey_ECC(void *session, unsigned int index, ECCrefPublicKey *key) { (void)session; return public_of("enc", index, key); }

int SDF_InternalSign_ECC(void *session, unsigned int index, unsigned char *e, unsigned int e_length, ECCSignature *signature) {
    unsigned char der[256];
    size_t length = sizeof der;
    char name[32];
    int code = fault();
    if (code) return code;
    if (!(((Session *)session)->granted >> index & 1)) return PARDENY;
    if (e_length != 32) return INARGERR;
    snprintf(name, sizeof name, "sign_%u.pem", index);
    if ((code = openssl("-sign", name, e, 32, der, &length))) return code;
    take_number(take_number(der + 2, signature->r), signature->s);
    return OK;
}

int SDF_InternalDecrypt_ECC(void *session, unsigned int index, unsigned int kind, ECCCipher *sealed, unsigned char *out, unsigned int *out_length) {
    unsigned char *der = malloc(8192), *body = malloc(8192);
    size_t at = 0, length = *out_length;
    char name[32];
    int code = fault();
    if (!code && kind != SGD_SM2_3) code = INARGERR;
    if (!code && !(((Session *)session)->granted >> index & 1)) code = PARDENY;
    if (!code && sealed->L > 4096) code = INARGERR;
    if (!code) {
        at += put_number(body, sealed->x);
        at += put_number(body + at, sealed->y);
        at += put_length(body + at, 4, 32);
        memcpy(body + at, sealed->M, 32), at += 32;
        at += put_length(body + at, 4, sealed->L);
        memcpy(body + at, sealed->C, sealed->L), at += sealed->L;
        size_t head = put_length(der, 0x30, at);
        memcpy(der + head, body, at);
        snprintf(name, sizeof name, "enc_%u.pem", index);
        code = openssl("-decrypt", name, der, head + at, out, &length);
        *out_length = (unsigned int)length;
    }
    free(der), free(body);
    return code;
}
