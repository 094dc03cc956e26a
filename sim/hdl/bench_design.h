// The design under a bench, whose ports are listed in `ports.h`, which is generated.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

#include "port.h"
#include "ports.h"

using Words = std::vector<uint32_t>;

Vtop top;
const std::vector<Port> ports = PORTS(top);
uint64_t now = 0;

