// SPDX-License-Identifier: MIT
#include "mutants.h"

#include <fmt/format.h>

#include <atomic>
#include <set>
#include <thread>

#include "auth/digest.h"
#include "base/error.h"
#include "base/process.h"
#include "doc/manifest.h"
#include "operators.h"

namespace schedcp::mutation {
namespace {

const std::vector<std::string> kLibrary = {"fifo", "vtime", "sjf", "ljf"};
const std::vector<std::string> kGood = {"steals_per_cpu", "priority_with_budget", "task_storage",
                                        "group_vtime",    "preempts_lighter",     "walks_queue"};

/// A header whose mutants are each made of one of the policies that include it.
struct SharedHeader {
  const char* name;
  std::vector<std::string> functions;  ///< only these; all if empty
  std::vector<std::string> policies;
};
const std::vector<SharedHeader> kShared = {
    {"schedcp_length.bpf.h", {}, {"sjf", "ljf"}},
    {"schedcp.bpf.h", {"is_percpu_kthread", "kick_idle_for", "before"}, kLibrary},
};

/// Everything the kernel would get, without names of lines.
std::string key_of(const PolicyObject& object) {
  std::string all;
  const auto add = [&](std::string_view bytes) {
    all += std::to_string(bytes.size()) + ":";
    all += bytes;
  };
  for (const auto& function : object.functions()) {
    add(function.name);
    add({reinterpret_cast<const char*>(function.insns.data()),
         function.insns.size() * sizeof(bpf_insn)});
    for (const auto& [at, reference] : function.references)
      add(fmt::format("{} {} {} {} {} {}", at, int(reference.kind), reference.name,
                      reference.section, reference.value, reference.relation));
  }
  for (const auto& map : object.maps())
    add(fmt::format("{} {} {} {} {} {}", map.name, map.type, map.key_size, map.value_size,
                    map.max_entries, map.flags));
  for (const char* section : {".data", ".rodata", ".bss"})
    add(object.section(section).value_or(""));
  add(fmt::format("{} {}", object.ops().flags, object.ops().timeout_ms));
  for (const auto& [member, function] : object.ops().callbacks)
    add(fmt::format("{} {}", member, function));
  return sha256_hex(all);
}

class Maker {
 public:
  Maker(const fs::path& root, size_t every, int jobs) : root_(root), every_(every), jobs_(jobs) {
    for (const auto& name : kLibrary) plan(name, true);
    for (const auto& name : kGood) plan(name, false);
    for (const auto& shared : kShared) plan_shared(shared);
  }

  Mutants make() {
    compile_all();
    Mutants result;
    for (const auto& name : kLibrary) {
      const fs::path file = root_ / "policies" / name / (std::string(name) + ".json");
      result.promises[name] = sim::load_promises(
          parse_manifest(read_file(file), file.string(), feature_names()).promises);
    }
    std::set<std::string> seen;
    for (auto& [mutant, headers] : plans_) {
      if (!mutant.mutation) {
        if (mutant.key.empty()) throw unable("cannot compile '" + mutant.policy + "'");
        seen.insert(mutant.key);
        result.originals.push_back(std::move(mutant));
        continue;
      }
      ++result.made;
      if (mutant.key.empty())
        ++result.not_compiling;
      else if (!seen.insert(mutant.key).second)
        ++result.equal;
      else
        result.mutants.push_back(std::move(mutant));
    }
    return result;
  }

 private:
  struct Plan {
    Mutant mutant;
    std::vector<std::pair<std::string, std::string>> files;  ///< name, text: the policy first
  };

  std::string policy_text(const std::string& name, bool library) const {
    return read_file(library ? root_ / "policies" / name / (name + ".bpf.c")
                             : root_ / "tests/corpus/good" / (name + ".bpf.c"));
  }

  void plan(const std::string& name, bool library) {
    const std::string text = policy_text(name, library), file = name + ".bpf.c";
    plans_.push_back({{name, library, {}, {}, {}}, {{file, text}}});
    const Source source(text);
    size_t place = 0;
    for (auto& mutation : mutations_of(source)) {
      if (!library && place++ % every_) continue;
      mutation.file = file;
      const std::string changed = mutation.apply(text);
      plans_.push_back({{name, library, std::move(mutation), {}, {}}, {{file, changed}}});
    }
  }

  void plan_shared(const SharedHeader& shared) {
    const std::string text = read_file(root_ / "bpf/include" / shared.name);
    const Source source(text);
    size_t place = 0, turn = 0;
    for (auto& mutation : mutations_of(source, shared.functions)) {
      if (place++ % every_) continue;
      const std::string& name = shared.policies[turn++ % shared.policies.size()];
      mutation.file = shared.name;
      std::vector<std::pair<std::string, std::string>> files = {
          {name + ".bpf.c", policy_text(name, true)}, {shared.name, mutation.apply(text)}};
      // Headers look beside themselves first, so all of them are here.
      for (const auto& other : kShared)
        if (other.name != std::string(shared.name))
          files.emplace_back(other.name, read_file(root_ / "bpf/include" / other.name));
      plans_.push_back({{name, true, std::move(mutation), {}, {}}, std::move(files)});
    }
  }

  void compile(Plan& plan) const {
    const TempDir dir("schedcp-mutant");
    for (const auto& [name, text] : plan.files) write_file_atomic(dir.path() / name, text);
    Spawn spawn;
    spawn.argv = {find_program("clang-19") ? "clang-19" : "clang",
                  "-g",
                  "-O2",
                  "-target",
                  "bpf",
                  "-mcpu=v3",
                  "-w",
                  "-I.",
                  "-I" + (root_ / "bpf/include").string(),
                  "-c",
                  plan.files[0].first,
                  "-o",
                  "policy.bpf.o"};
    spawn.cwd = dir.path();
    if (!run(spawn).exit.ok()) return;
    plan.mutant.object = read_file(dir.path() / "policy.bpf.o");
    try {
      plan.mutant.key = key_of(PolicyObject(plan.mutant.object, plan.files[0].first));
    } catch (const Error&) {  // no policy any more
    }
  }

  void compile_all() {
    std::atomic<size_t> next{0};
    std::vector<std::thread> workers;
    for (int i = 0; i < jobs_; ++i)
      workers.emplace_back([&] {
        for (size_t at; (at = next++) < plans_.size();) compile(plans_[at]);
      });
    for (auto& worker : workers) worker.join();
  }

  fs::path root_;
  size_t every_;
  int jobs_;
  std::vector<Plan> plans_;
};

}  // namespace

Mutants make_mutants(const fs::path& root, size_t every, int jobs) {
  return Maker(root, every, jobs).make();
}

}  // namespace schedcp::mutation
