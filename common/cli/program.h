// SPDX-License-Identifier: MIT
// The frame of every program: options, help, --describe, documents in and out, exit codes. A tool
// declares itself here once; help, man page, completions and MCP tools are generated from that.
//
//   int main(int argc, char** argv) {
//     Program program{"schedcp-verify", "Decide whether a scheduling policy is safe to load."};
//     VerifyOptions options;
//     program.option("--until", options.until, "STAGE", "Stop after this stage.").choices({"build",
//     ...}); program.reads<Candidate>().writes<Verdict>(); return program.run(argc, argv, [&] {
//     return verify_all(program, options); });
//   }
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "doc/document.h"

namespace schedcp {

using Duration = std::chrono::nanoseconds;

/// What an MCP host is told about a tool: hints, not enforcement.
struct ToolHints {
  bool read_only = false;    ///< changes nothing outside its own state and caches
  bool destructive = false;  ///< may end or replace what others depend on
  bool idempotent = false;   ///< a second call with the same arguments changes nothing more
  bool open_world = false;   ///< returns text that others (processes, files) chose
  std::string needs = {};    ///< what it needs beyond an ordinary user, "" for nothing
  int timeout_s = 600;       ///< how long a call may reasonably last
  bool for_models = true;    ///< offered by MCP; false for the owner's chores and decisions
};

/// Whether output is for a person or a program.
enum class Format { text, json };

/// One option as declared; lets a declaration say more.
class OptionDeclaration {
 public:
  /// Values it may take; others are refused with the nearest named.
  OptionDeclaration& choices(std::vector<std::string> values);
  /// It must be given. What the work looks at before, it says itself when this is missing.
  OptionDeclaration& required(bool told_by_work = false);
  /// What the default is, for help and --describe (when it cannot be told from the variable).
  OptionDeclaration& default_text(std::string text);
  /// Left out of help, man page and MCP.
  OptionDeclaration& hidden();
  /// Left out of MCP: it would write a file, or send what one holds, where a model wants it.
  OptionDeclaration& not_for_models();

 private:
  friend class Command;
  explicit OptionDeclaration(struct OptionState* state) : state_(state) {}
  struct OptionState* state_;
};

/// Options and arguments of a program or of one of its subcommands.
class Command {
 public:
  using Target =
      std::variant<bool*, int64_t*, double*, std::string*, Duration*, std::optional<int64_t>*,
                   std::optional<double>*, std::optional<std::string>*, std::optional<Duration>*,
                   std::vector<std::string>*>;

  /// "-s,--strict": present or not.
  OptionDeclaration flag(const std::string& names, bool& target, const std::string& sentence);
  /// "--runs": takes a value; `value_name` says what it is: N, FILE, DIR, POLICY, PID, DURATION,
  /// ... A vector takes the option repeatedly. Durations are written as 30s, 5m.
  template <class T>
  OptionDeclaration option(const std::string& names, T& target, const std::string& value_name,
                           const std::string& sentence) {
    return declare_option(names, &target, value_name, sentence);
  }
  /// An argument without a name; a vector takes all that are left.
  template <class T>
  OptionDeclaration argument(const std::string& value_name, T& target,
                             const std::string& sentence) {
    return declare_argument(value_name, &target, sentence);
  }
  /// Everything after `--`: a command with its arguments.
  OptionDeclaration trailing_command(std::vector<std::string>& target, const std::string& sentence);
  /// A runnable example for help, man page and tests; `line` is what one types after "$ ".
  Command& example(const std::string& line, const std::string& sentence);
  /// Say which document kinds stdin may hold (schemas for --describe). Without it stdin is not
  /// read.
  template <class... Ds>
  Command& reads() {
    (add_schema(true, Ds::kind, document_schema<Ds>()), ...);
    return *this;
  }
  /// Say which document kinds stdout may hold.
  template <class... Ds>
  Command& writes() {
    (add_schema(false, Ds::kind, document_schema<Ds>()), ...);
    return *this;
  }
  Command& hints(ToolHints hints);
  Command(Command&&) noexcept;
  ~Command();

 protected:
  friend class Program;
  friend struct Describer;
  explicit Command(std::unique_ptr<struct CommandState> state);
  OptionDeclaration declare_option(const std::string& names, Target target,
                                   const std::string& value_name, const std::string& sentence);
  OptionDeclaration declare_argument(const std::string& value_name, Target target,
                                     const std::string& sentence);
  void add_schema(bool input, const std::string& kind, Json schema);
  std::unique_ptr<struct CommandState> state_;
};

/// The program. Made once, in main.
class Program : public Command {
 public:
  /// `sentence` is the one sentence that says what it does, everywhere the same.
  Program(const std::string& name, const std::string& sentence);
  ~Program();

  /// A subcommand with its own options; `work` runs instead of run()'s.
  Command& subcommand(const std::string& name, const std::string& sentence,
                      std::function<ExitCode()> work);
  /// Exit code for every fault of the program's own (schedcp-vm: 125) instead of Error::code,
  /// except 0, 1, 124 and 127.
  void own_fault(ExitCode code);
  /// Extra rows for EXIT STATUS.
  void exit_meaning(int code, const std::string& meaning);

  /// Parse, run `work`, turn what is thrown into one line on stderr and the exit code. SIGINT and
  /// SIGTERM are caught meanwhile (base/signal.h) and re-raised at the end. Never throws.
  int run(int argc, char** argv, const std::function<ExitCode()>& work);
  /// The same for programs that pass another program's status on.
  int run_status(int argc, char** argv, const std::function<int()>& work);

  const std::string& name() const;
  Format format() const;
  /// Whether to colour text on stdout (terminal, NO_COLOR unset, TERM not dumb).
  bool colour() const;

  /// Whether stdin brings documents: not a terminal, and not /dev/null or closed.
  static bool stdin_has_documents();
  /// Documents on stdin; throws usage_error when there are none, it is no JSON, the wrong kind, or
  /// more than 16 MiB.
  template <class... Ds>
  std::vector<std::variant<Ds...>> read_any() {
    return documents_of<Ds...>(read_values({Ds::kind...}));
  }
  template <class D>
  std::vector<D> read() {
    std::vector<D> documents;
    for (auto& one : read_any<D>()) documents.push_back(std::get<D>(std::move(one)));
    return documents;
  }

  /// Write one document: a line of JSON, or what `text` returns (ending in a newline).
  template <class D>
  void emit(const D& document, const std::function<std::string()>& text) {
    write_out(format() == Format::text ? text() : dump(to_json(document)) + "\n");
  }
  /// Write to stdout; a full disk is an Error, a closed pipe ends the process quietly.
  void write_out(std::string_view data);
  /// One line to stderr, after the program's name.
  void warn(const std::string& message);

 private:
  std::vector<Json> read_values(const std::vector<std::string>& kinds);
};

/// A line on stderr that says what is going on; shows only when stderr is a terminal.
class Progress {
 public:
  /// `expected`: how long it should take, if known.
  explicit Progress(std::string what, std::optional<Duration> expected = std::nullopt);
  ~Progress();
  /// `done` of 1, what is being done now, and how long the rest takes if that is known better than
  /// from `done`.
  void update(double done, const std::string& what, std::optional<Duration> left = std::nullopt);
  /// Makes room for a line on stderr; the next update draws the bar below it.
  void clear();

 private:
  void draw(double done);
  std::string what_;
  std::optional<Duration> expected_, left_;
  uint64_t start_ns_;
  bool shown_;
};

}  // namespace schedcp
