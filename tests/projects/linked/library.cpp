// What links for an older glibc are known to break: used by program.cpp from outside, and by the other library.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <fcntl.h>
#include <fstream>
#include <future>
#include <iostream>
#include <locale>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <vector>

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

namespace {
thread_local int own = 7;

struct Constructed {
    std::string text = "constructed";
} constructed;

std::string caught()
{
    try {
        std::vector<int>{1}.at(3);
    } catch (const std::out_of_range &) {
        try {
            std::rethrow_exception(std::make_exception_ptr(std::out_of_range("kept")));
        } catch (const std::out_of_range &) {
            return "out_of_range";
        }
    }
    return "nothing";
}
}

extern "C" void throws(const char *text) { throw Failure(text); }

extern "C" void report()
{
    std::cout << constructed.text << '\n';
    const volatile double x = 1.5, y = 2.5;
    const volatile float small = 1.5f;
    std::cout << "exp " << std::exp(x) << ' ' << std::exp(small) << " log " << std::log(x) << " pow " << std::pow(x, y)
              << ' ' << std::pow(small, small) << '\n';

    std::vector<std::thread> threads;
    std::mutex mutex;
    std::once_flag once;
    int sum = 0, times = 0;
    for (int number = 0; number < 4; number++)
        threads.emplace_back([&, number] {
            std::call_once(once, [&] { times++; });
            own += number;
            std::lock_guard<std::mutex> lock(mutex);
            sum += own;
        });
    for (auto &thread : threads)
        thread.join();
    std::cout << "threads " << sum << " own " << own << " once " << times << '\n';

    std::condition_variable condition;
    bool ready = false;
    std::thread waker([&] {
        std::lock_guard<std::mutex> lock(mutex);
        ready = true;
        condition.notify_one();
    });
    {
        std::unique_lock<std::mutex> lock(mutex);
        condition.wait(lock, [&] { return ready; });
        const auto begin = std::chrono::steady_clock::now();
        const bool woken = condition.wait_for(lock, std::chrono::milliseconds(20), [] { return false; });
        const bool waited = std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(20);
        std::cout << "condition " << woken << ' ' << waited << '\n';
    }
    waker.join();

    std::timed_mutex timed;
    timed.lock();
    const bool locked = std::async(std::launch::async, [&] {
        return timed.try_lock_for(std::chrono::milliseconds(5));
    }).get();
    std::cout << "timed " << locked << '\n';

    auto shared = std::make_shared<std::string>("shared");
    std::shared_ptr<std::string> other = shared;
    std::cout << *other << ' ' << shared.use_count() << '\n';

    struct stat found, absent;
    const int there = stat("/", &found), missing = lstat("/absent/file", &absent);
    const int reason = errno;
    const int folder = open("/", O_RDONLY);
    struct stat same;
    fstat(folder, &same);
    std::cout << "stat " << there << ' ' << S_ISDIR(found.st_mode) << ' ' << (same.st_ino == found.st_ino) << ' '
              << missing << ' ' << std::error_code(reason, std::generic_category()).message() << ' '
              << fcntl(folder, F_GETFD) << '\n';

    std::random_device device;
    std::cout << "random " << (device() != device() || device() != device()) << '\n';
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out << 3.25 << ' ' << true << ' ' << 1234567;
    std::cout << out.str() << '\n';
    std::cout << std::regex_replace("a1b22c", std::regex("[0-9]+"), "-") << ' ' << std::stod("2.5") << ' '
              << std::to_string(42) << '\n';
    std::map<std::string, int> counts{{"b", 2}, {"a", 1}};
    std::cout << counts.begin()->first << ' ' << caught() << '\n';
    std::ifstream file("/absent/file");
    file.exceptions(std::ios::goodbit);
    std::cout << "file " << file.good() << std::endl;
}
