// Who takes the clock edges of tiles.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "strobes.h"
#include "tile.h"
#include "verilated.h"

// Threads beside that of the simulator. Each takes its own groups first, so that the state of a tile stays in the cache of
// one processor; whoever is done with them takes what others have not begun.
class Crew {
public:
    std::vector<std::unique_ptr<Group>> groups;
    std::vector<Group*> waiting;  // with tiles whose edge is not under way yet

    ~Crew() { resize(0, nullptr); }

    // `context` is that of all tiles.
    void resize(int helpers, VerilatedContext* context) {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            stop_ = true;
        }
        wake_.notify_all();
        for (std::thread& one : threads_) one.join();
        threads_.clear();
        stop_ = false;
        for (int k = 1; k <= helpers; k++) threads_.emplace_back([=] { serve(size_t(k), context); });
    }

    // By the simulator, which helps until the edges of a group are done.
    void finish(const Group& group) {
        if (!waiting.empty()) begin();
        while (group.turn.load(std::memory_order_acquire) != Turn::kDone) {
            mho_answer_helpers();
            if (!take(0)) pause();
        }
    }

private:
    static constexpr int kFew = 3;         // tiles
    static constexpr int kSpins = 20'000;  // some 50 us, longer than a cycle

    static void pause() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }

    // All tiles of the edge before are done: each was asked for. What takes less than a word to another thread is done here.
    void begin() {
        int count = 0;
        for (const Group* group : waiting) count += __builtin_popcountll(group->waiting);
        if (threads_.empty() || waiting.size() == 1 || count <= kFew) {
            for (Group* group : waiting) group->edge();
            waiting.clear();
            return;
        }
        for (Group* group : waiting) group->turn.store(Turn::kOpen, std::memory_order_release);
        waiting.clear();
        edges_.fetch_add(1, std::memory_order_seq_cst);
        if (sleeping_.load(std::memory_order_seq_cst)) {
            std::lock_guard<std::mutex> lock(mutex_);
            wake_.notify_all();
        }
    }

    // Take the edge of a group that is open, of those of this thread first; whether there was one.
    bool take(size_t me) {
        const size_t threads = threads_.size() + 1;
        for (size_t other = 0; other < threads; other++)
            for (size_t k = (me + other) % threads; k < groups.size(); k += threads)
                if (take(*groups[k])) return true;
        return false;
    }

    static bool take(Group& group) {
        Turn open = Turn::kOpen;
        if (group.turn.load(std::memory_order_relaxed) != open) return false;
        if (!group.turn.compare_exchange_strong(open, Turn::kTaken, std::memory_order_acquire)) return false;
        group.edge();
        group.turn.store(Turn::kDone, std::memory_order_release);
        return true;
    }

    void serve(size_t me, VerilatedContext* context) {
        Verilated::threadContextp(context);
        mho_helper = true;
        uint64_t seen = edges_.load(std::memory_order_acquire);
        for (int idle = 0; !stop_.load(std::memory_order_relaxed);) {
            const uint64_t edges = edges_.load(std::memory_order_acquire);
            if (edges != seen) {
                while (take(me)) {}
                seen = edges;
                idle = 0;
            } else if (++idle < kSpins) {
                pause();
            } else {
                std::unique_lock<std::mutex> lock(mutex_);
                sleeping_.fetch_add(1, std::memory_order_seq_cst);
                wake_.wait(lock, [this, seen] { return stop_ || edges_.load(std::memory_order_seq_cst) != seen; });
                sleeping_.fetch_sub(1, std::memory_order_seq_cst);
                idle = 0;
            }
        }
    }

    alignas(64) std::atomic<uint64_t> edges_{0};  // that were opened
    alignas(64) std::atomic<int> sleeping_{0};
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::thread> threads_;
};
