/* The start of a program. Since 2.34 libc runs a program's constructors; before, a program gave it a function that did.
   Where it is given one it calls that in every version. */
typedef void initialiser(int, char **, char **);

int old_start(int (*)(int, char **, char **), int, char **, initialiser *, void (*)(void), void (*)(void), void *);
__asm__(".symver old_start, __libc_start_main@GLIBC_2.2.5");

extern void _init(void);
extern initialiser *__preinit_array_start[] __attribute__((visibility("hidden")));
extern initialiser *__preinit_array_end[] __attribute__((visibility("hidden")));
extern initialiser *__init_array_start[] __attribute__((visibility("hidden")));
extern initialiser *__init_array_end[] __attribute__((visibility("hidden")));

static void initialise(int count, char **arguments, char **environment)
{
    for (initialiser **each = __preinit_array_start; each < __preinit_array_end; each++)
        (*each)(count, arguments, environment);
    _init();
    for (initialiser **each = __init_array_start; each < __init_array_end; each++)
        (*each)(count, arguments, environment);
}

__attribute__((visibility("hidden"))) int __libc_start_main(
    int (*program)(int, char **, char **), int count, char **arguments, initialiser *given, void (*finish)(void),
    void (*loader)(void), void *stack)
{
    return old_start(program, count, arguments, given ? given : initialise, finish, loader, stack);
}
