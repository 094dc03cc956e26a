// How often something inside of a tile reached the outside: strobes of a macro, what is noted of a tile. Pulses are not
// among it: in a mesh nothing programs cells.
#pragma once
#include <cstdint>

extern "C" uint64_t mho_strobes;
