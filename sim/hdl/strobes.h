// What the bodies of macros have in common with the tiles that they are in.
#pragma once
#include <cstdint>

// How often something inside of a tile reached the outside: strobes of a macro, what is noted of a tile. Pulses are not
// among it: in a mesh nothing programs cells. Of a thread: a tile is evaluated by one thread at a time.
extern "C" __thread uint64_t mho_strobes;

// Python runs in the thread of the simulator alone. Another thread, which says so of itself, has its models asked there,
// and waits.
extern "C" __thread bool mho_helper;
using Question = int32_t (*)(void* of);
extern "C" int32_t mho_ask(Question question, void* of);
// By the thread of the simulator while it waits for others: answers one of them.
extern "C" void mho_answer_helpers();
