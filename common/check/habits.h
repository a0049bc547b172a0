// SPDX-License-Identifier: MIT
// Rules about how the callbacks work together; private to the room.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "check/machine.h"
#include "check/rules.h"

namespace schedcp {

class Habits : public Observer {
 public:
  Habits(const PolicyObject& object, Findings& findings) : object_(object), findings_(findings) {}
  void called(const Site& site, const Kfunc& kfunc, const State& state) override;
  void wrote(const Site& site, const std::string& field, const Value& value) override;
  void tested_flags(const Site& site) override;
  void ordered_unsigned(const Site& site) override;
  void argument(const Site& site, int number) override;
  void counted_down(const Site& site) override;
  void looked_up(const Site& site, const Value& key) override;
  void loops(const Site& site, uint64_t rounds) override;
  void read(const Site& site, const std::string& field) override;
  void subtracted_per_cpu(const Site& site) override;
  void charged_below(const Site& site) override;
  void compared_name(const Site& site) override;
  void dropped_claim(const Site& site) override;
  void left_padding(const Site& site, const MapSpec& map) override;
  void ended(const Site& site, const State& state) override;
  /// What only the whole policy tells; call it when all paths were followed.
  void conclude();
  /// "enqueue task_struct.scx.slice" and so on.
  const std::set<std::string>& fields_read() const { return fields_read_; }

 private:
  void inserted(const Site& site, const Kfunc& kfunc, const State& state);
  void cpu(const Site& site, const Value& number, const char* rule, const char* what);
  void refill(const Site& site, const Value& slice);
  bool claims_by_number(const State& state) const;
  static bool ignored(const Function& function, uint32_t insn);
  static void note(std::optional<Site>& first, const Site& site) {
    if (!first) first = site;
  }

  const PolicyObject& object_;
  Findings& findings_;
  std::map<std::string_view, Site> refills_, destroyed_;  ///< by callback
  /// Where it was first seen.
  std::optional<Site> idle_tracking_, immed_, local_on_, refills_prev_, zero_slice_, counts_down_;
  std::set<std::string> fields_read_;
  std::set<std::string_view> looks_at_queues_;  ///< callbacks
  bool kicks_ = false, kicks_busy_ = false, looks_for_idle_ = false, local_ = false,
       tests_flags_ = false;
  bool enqueue_inserts_ = false, select_inserts_ = false, reads_runnable_ = false;
};

}  // namespace schedcp
