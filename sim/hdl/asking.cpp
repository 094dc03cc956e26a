// What the bodies of all macros have in common: strobes that are counted, and models that are asked in Python's thread.
#include <atomic>
#include <mutex>
#include <thread>

#include "strobes.h"

extern "C" {

__thread uint64_t mho_strobes = 0;
__thread bool mho_helper = false;

}  // extern "C"

namespace {

// A question of another thread than the simulator's; one at a time.
std::mutex asking;
std::atomic<Question> asked{nullptr};
void* asked_of = nullptr;
std::atomic<bool> answered{false};
int32_t the_answer = 0;

}  // namespace

extern "C" {

int32_t mho_ask(Question question, void* of) {
    if (!mho_helper) return question(of);
    std::lock_guard<std::mutex> lock(asking);
    answered.store(false, std::memory_order_relaxed);
    asked_of = of;
    asked.store(question, std::memory_order_release);
    while (!answered.load(std::memory_order_acquire)) std::this_thread::yield();
    return the_answer;
}

void mho_answer_helpers() {
    const Question question = asked.load(std::memory_order_acquire);
    if (!question) return;
    asked.store(nullptr, std::memory_order_relaxed);
    the_answer = question(asked_of);
    answered.store(true, std::memory_order_release);
}

}  // extern "C"
