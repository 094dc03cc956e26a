// The tiles of a mesh: one model, made from tile_shell.sv and compiled once, with an instance for each tile_proxy.sv.
//
// A tile is evaluated twice a cycle: at the clock edge with what came (step), and with the `ready` of its neighbours, the
// only inputs that reach an output in the same cycle (offer). Within a cycle tiles know nothing of each other, so that several
// threads may take their edges; what comes of an edge is asked for when all are under way. A tile that waits is not evaluated at all: a model with the
// same inputs is a machine without inputs, so once all of its state is what it was some cycles ago it goes round, whatever
// it polls, and nothing of it is seen outside. It sleeps then, and is brought to the right place of its round when something
// comes. So nothing depends on whether it slept.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "Vtile.h"
#include "Vtile__Edge.h"
#include "Vtile___024root.h"
#include "port.h"
#include "strobes.h"
#include "tile_ports.h"

extern "C" int32_t mho_host_tracing();

namespace {

constexpr int kPatience = 24;       // cycles in which nothing happened before a round is looked for
constexpr int kMostPatience = 4096;
constexpr int kLongest = 64;        // cycles of the longest round that is looked for

using Root = Vtile___024root;
struct Tile;

// Tiles whose edge one thread takes, all of them a part before any the next: the code of a part stays in the processor. Of
// each part a word says which of them must run it, since something that it reads has changed; behind them is one of the
// tiles of which something was noted.
struct Group {
    std::vector<Tile*> tiles;
    std::vector<Vtile__Model*> models;
    uint64_t marks[VTILE_PARTS + 1] = {};
    uint64_t waiting = 0;           // tiles whose edge is not under way yet
    std::atomic<bool> done{true};   // no edge is under way
};

struct Tile {
    // What is looked at in each cycle is together.
    int64_t cycle = 0;
    uint64_t now_ready = 0, next_ready = 0;  // next: for the edge that is under way
    uint32_t arrived = 0;           // channels on which something came for the next edge
    uint32_t shown = 0;             // what came at the edge before
    bool reset = true, next_reset = true, asleep = false, rests = false, moved = false;  // rests: an edge would change nothing
    bool fresh_next = true;         // inputs have changed since it was evaluated
    uint8_t tracing = 0;
    int place = -1;
    int64_t slept = 0;
    Group* group = nullptr;
    uint64_t bit = 0;               // of it in its group
    uint64_t taken = 0, offering = 0;

    int patience = kPatience, quiet = 0, round = 0;
    int64_t at = -1;                // cycle of the kept state, -1: none
    size_t differs = 0;             // where the state differed last
    std::unique_ptr<unsigned char[]> kept;
    Vtile__Seen seen;               // inputs at the edge before
    Vtile model;
    std::vector<Port> came, coming, offered, ready;  // of the channels, see tile_ports.h

    explicit Tile(VerilatedContext* context, int number, const char* name)
        : kept(new unsigned char[sizeof(Root)]), model(context, name), came MHO_CAME(model), coming MHO_COMING(model),
          offered MHO_OFFERED(model), ready MHO_READY(model) {
        model.number = number;
        model.rst = 1;
        model.clk = 0;
        MHO_CONSTANTS(model)
        model.eval();
    }

    const unsigned char* state() const { return reinterpret_cast<const unsigned char*>(model.rootp); }
};

std::vector<std::unique_ptr<Tile>> tiles;
VerilatedContext* context = nullptr;  // of all tiles

void unpack(const std::vector<Port>& ports, uint64_t all) {
    for (const Port& port : ports) {
        port.set(uint32_t(all) & ((1u << port.bits) - 1));
        all >>= port.bits;
    }
}

// All that a sleeping tile has not done and that its state depends on.
void wake(Tile& t) {
    if (!t.asleep) return;
    t.asleep = false;
    Group& group = *t.group;
    for (int64_t k = t.slept % t.round; k; k--) Vtile__edge(group.models.data(), t.bit, 0, group.marks);
    group.marks[VTILE_PARTS] &= ~t.bit;
}

void forget(Tile& t) {
    t.quiet = 0;
    t.at = -1;
}

bool same(Tile& t) {
    const unsigned char* state = t.state();
    if (state[t.differs] != t.kept[t.differs]) return false;
    if (!std::memcmp(state, t.kept.get(), sizeof(Root))) return true;
    while (state[t.differs] == t.kept[t.differs])
        if (++t.differs == sizeof(Root)) t.differs = 0;
    return false;
}

// Whether a tile to which nothing happens goes round.
void look(Tile& t) {
    if (t.at < 0) {
        if (++t.quiet < t.patience) return;
        std::memcpy(t.kept.get(), t.state(), sizeof(Root));
        t.at = t.cycle;
    } else if (same(t)) {
        t.asleep = true;
        t.slept = 0;
        t.round = int(t.cycle - t.at);
        forget(t);
    } else if (t.cycle - t.at == kLongest) {
        forget(t);
        t.patience = std::min(2 * t.patience, kMostPatience);
    }
}

// Before the clock edge: what was put into the tile. Whether inputs have changed.
bool enter(Tile& t) {
    wake(t);
    if (!t.fresh_next) return false;
    unpack(t.came, t.arrived);
    unpack(t.ready, t.next_ready);
    t.model.rst = t.next_reset;
    Vtile__look(t.model, t.seen, t.group->marks, t.bit);
    return true;
}

// Behind the clock edge: what it did.
void leave(Tile& t, bool noted) {
    t.shown = t.arrived;
    t.arrived = 0;
    t.reset = t.next_reset;
    t.now_ready = t.next_ready;
    const uint64_t taken = MHO_PACKED_TAKES(*t.model.rootp), offering = MHO_PACKED_OFFERS(*t.model.rootp);
    if (t.moved || offering || t.offering || taken != t.taken || noted) {
        forget(t);
        t.patience = kPatience;
    } else {
        look(t);
    }
    t.taken = taken;
    t.offering = offering;
}

// The clock edge of some tiles of a group. Whichever thread does it is the only one at them.
void edge(Group& group, uint64_t which) {
    uint64_t fresh = 0;
    for (uint64_t left = which; left; left &= left - 1)
        if (enter(*group.tiles[__builtin_ctzll(left)])) fresh |= left & -left;
    Vtile__edge(group.models.data(), which, fresh, group.marks);
    const uint64_t noted = group.marks[VTILE_PARTS];
    group.marks[VTILE_PARTS] = 0;
    uint64_t busy = VTILE_PARTS ? 0 : which;  // some part would be run at the next edge
    for (int k = VTILE_FIRST; k < VTILE_PARTS; k++) busy |= group.marks[k];
    for (uint64_t left = which; left; left &= left - 1) {
        const uint64_t bit = left & -left;
        Tile& t = *group.tiles[__builtin_ctzll(left)];
        t.rests = !(busy & bit);
        leave(t, noted & bit);
    }
}

std::vector<std::unique_ptr<Group>> groups;

// Neighbours, which are at work together, are in different groups.
void make_groups(size_t count) {
    constexpr size_t kMost = 64;  // bits of a word
    count = std::max(count, (tiles.size() + kMost - 1) / kMost);
    groups.clear();
    for (size_t k = 0; k < count; k++) groups.push_back(std::make_unique<Group>());
    for (size_t k = 0; k < tiles.size(); k++) {
        Tile& t = *tiles[k];
        t.group = groups[k % count].get();
        t.bit = uint64_t(1) << t.group->tiles.size();
        t.group->tiles.push_back(&t);
        t.group->models.push_back(Vtile__model(t.model));
        t.rests = false;
        Vtile__begin(t.model, t.seen, t.group->marks, t.bit);
    }
}

std::vector<Group*> waiting;  // with tiles whose edge is not under way yet

// Threads beside that of the simulator. The tiles of an edge are shared out; whoever is free takes the next of them.
class Crew {
public:
    ~Crew() { resize(0); }

    void resize(int helpers) {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            stop_ = true;
        }
        wake_.notify_all();
        for (std::thread& one : threads_) one.join();
        threads_.clear();
        stop_ = false;
        for (int k = 0; k < helpers; k++) threads_.emplace_back([this] { serve(); });
    }

    // By the simulator, which helps until the tile is done.
    void finish(Tile& t) {
        if (!waiting.empty()) begin();
        while (!t.group->done.load(std::memory_order_acquire)) {
            mho_answer_helpers();
            if (!take()) pause();
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
            for (Group* group : waiting) {
                edge(*group, group->waiting);
                group->waiting = 0;
            }
            waiting.clear();
            return;
        }
        uint64_t n = given_.load(std::memory_order_relaxed);
        for (Group* group : waiting) {
            group->done.store(false, std::memory_order_relaxed);
            shares_[n++ % kPlaces] = group;
        }
        waiting.clear();
        given_.store(n, std::memory_order_seq_cst);
        if (sleeping_.load(std::memory_order_seq_cst)) {
            std::lock_guard<std::mutex> lock(mutex_);
            wake_.notify_all();
        }
    }

    bool take() {
        uint64_t n = claimed_.load(std::memory_order_relaxed);
        if (n == given_.load(std::memory_order_acquire)) return false;
        if (!claimed_.compare_exchange_strong(n, n + 1, std::memory_order_acq_rel)) return true;
        Group& group = *shares_[n % kPlaces];
        edge(group, group.waiting);
        group.waiting = 0;
        group.done.store(true, std::memory_order_release);
        return true;
    }

    void serve() {
        Verilated::threadContextp(context);
        mho_helper = true;
        for (int idle = 0; !stop_.load(std::memory_order_relaxed);) {
            if (take()) {
                idle = 0;
            } else if (++idle < kSpins) {
                pause();
            } else {
                std::unique_lock<std::mutex> lock(mutex_);
                sleeping_.fetch_add(1, std::memory_order_seq_cst);
                wake_.wait(lock, [this] {
                    return stop_ || claimed_.load(std::memory_order_seq_cst) != given_.load(std::memory_order_seq_cst);
                });
                sleeping_.fetch_sub(1, std::memory_order_seq_cst);
                idle = 0;
            }
        }
    }

    static constexpr uint64_t kPlaces = 1024;  // more than groups
    Group* shares_[kPlaces];
    alignas(64) std::atomic<uint64_t> given_{0};
    alignas(64) std::atomic<uint64_t> claimed_{0};
    alignas(64) std::atomic<int> sleeping_{0};
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::thread> threads_;
};

Crew crew;

Tile& of(void* handle) { return *static_cast<Tile*>(handle); }

}  // namespace

extern "C" {

// ---- called from tile_proxy.sv --------------------------------------------------------------------------------------

void* mho_tile_create(const char* path) {
    VerilatedContext* of_mesh = Verilated::threadContextp();  // a new context, and a new model, are it from then on
    if (!context) context = new VerilatedContext;
    const char* name = std::strrchr(path, '.');
    int x = 0, y = 0;
    std::sscanf(name ? name + 1 : path, "tile_%d_%d", &x, &y);
    const int number = y * MHO_COLUMNS + x;
    tiles.push_back(std::make_unique<Tile>(context, number, ("tile_" + std::to_string(number)).c_str()));
    Verilated::threadContextp(of_mesh);
    return tiles.back().get();
}

void mho_tile_arrive(void* handle, int channel, const uint32_t* payload) {
    Tile& t = of(handle);
    t.arrived |= 1u << channel;
    t.coming[channel].put(payload);
}

// The clock edge. Whether there is one: a tile that sleeps has none, and its outputs stay.
uint8_t mho_tile_step(void* handle, uint8_t rst, int place, uint64_t ready) {
    Tile& t = of(handle);
    t.cycle++;
    t.moved = t.arrived || rst || rst != t.reset || ready != t.now_ready;
    if (t.asleep && !t.moved) {
        t.slept++;
        return 0;
    }
    const uint8_t tracing = uint8_t(mho_host_tracing());
    t.fresh_next = t.moved || t.shown || tracing != t.tracing;
    if (t.rests && !t.fresh_next) return 0;
    t.next_ready = ready;
    t.next_reset = rst;
    if (place != t.place) t.model.place = t.place = place;
    if (tracing != t.tracing) t.model.tracing = t.tracing = tracing;
    if (!t.group) make_groups(1);
    // What is traced is noted in the order of the tiles.
    if (tracing) {
        edge(*t.group, t.bit);
    } else {
        if (!t.group->waiting) waiting.push_back(t.group);
        t.group->waiting |= t.bit;
    }
    return 1;
}

// `ready` of the channels that come in, after the edge.
uint64_t mho_tile_taken(void* handle, uint8_t) {
    if (!handle) return 0;  // before the proxy has made it
    Tile& t = of(handle);
    if (t.group) crew.finish(t);
    return t.taken;
}

// What it sends to neighbours with this `ready`.
uint64_t mho_tile_offer(void* handle, uint64_t ready, uint8_t) {
    if (!handle) return 0;
    Tile& t = of(handle);
    if (t.group) crew.finish(t);
    if (ready != t.now_ready) {
        if (!t.group) make_groups(1);
        wake(t);
        forget(t);
        t.patience = kPatience;
        unpack(t.ready, ready);
        t.now_ready = ready;
        Vtile__look(t.model, t.seen, t.group->marks, t.bit);
        Vtile__settle(t.group->models.data(), t.bit, t.group->marks);
        t.rests = false;
        t.offering = MHO_PACKED_OFFERS(*t.model.rootp);
    }
    return t.offering;
}

// How many threads take the edges of tiles, that of the simulator among them. Between jobs.
void mho_tiles_threads(int32_t threads) {
    constexpr size_t kShares = 2;    // of each thread, since tiles take unequal time
    constexpr size_t kTogether = 2;  // fewest tiles of a group
    crew.resize(threads - 1);
    make_groups(threads == 1 ? 1 : std::max(size_t(1), std::min(threads * kShares, tiles.size() / kTogether)));
}

void mho_tile_payload(void* handle, int channel, uint32_t* payload) { of(handle).offered[channel].get(payload); }

}  // extern "C"
