// SPDX-License-Identifier: MIT
// Allocated objects, lists and trees of them (chains.cpp); internal to this room.
#pragma once

#include "interp/engine.h"

namespace schedcp {

uint64_t object_new(Engine& engine, Activation& activation, const uint64_t* args);
uint64_t list_push_front(Engine& engine, Activation& activation, const uint64_t* args);
uint64_t list_push_back(Engine& engine, Activation& activation, const uint64_t* args);
uint64_t list_pop_front(Engine& engine, Activation& activation, const uint64_t* args);
uint64_t list_pop_back(Engine& engine, Activation& activation, const uint64_t* args);
uint64_t list_front(Engine& engine, Activation& activation, const uint64_t* args);
uint64_t list_back(Engine& engine, Activation& activation, const uint64_t* args);
uint64_t tree_add(Engine& engine, Activation& activation, const uint64_t* args);
uint64_t tree_remove(Engine& engine, Activation& activation, const uint64_t* args);

}  // namespace schedcp
