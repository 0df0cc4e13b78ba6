// A program that is made for an older glibc itself, with a library that is, too: exceptions go from one to the other.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

extern "C" void throws(const char *);
extern "C" void report();
extern char **environ;

static std::string early = "early";

int main(int count, char **arguments)
{
    std::cout << early << ' ' << count << ' ' << (arguments[count] == nullptr) << ' ' << (environ && *environ) << '\n';
    setenv("KILN_TEST", "seen", 1);
    bool seen = false;
    for (char **each = environ; *each; each++)
        seen = seen || std::string(*each) == "KILN_TEST=seen";
    std::cout << "environ " << seen << '\n';
    report();
    try {
        throws("over the border");
    } catch (const std::runtime_error &error) {
        std::cout << "caught " << error.what() << '\n';
    }
    std::fprintf(stdout, "stdout\n");
}
