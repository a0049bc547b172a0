// SPDX-License-Identifier: MIT
#include "cli/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "base/paths.h"
#include "base/signal.h"
#include "base/time.h"
#include "cli/declaration.h"

namespace schedcp {
namespace {

constexpr size_t max_input_bytes = size_t{16} << 20;

/// What the frame's own options say.
struct FrameOptions {
  std::string format;
  std::string state_dir;
  std::string generate;
  bool help = false, version = false, describe = false;
} frame;

std::unique_ptr<OptionState> make_option(const std::string& names, Command::Target target,
                                         const std::string& value_name,
                                         const std::string& sentence) {
  auto option = std::make_unique<OptionState>();
  if (!names.empty()) option->names = split(names, ',');
  option->target = target;
  option->value_name = value_name;
  option->sentence = sentence;
  return option;
}

/// What `name` is called in messages.
std::string called(const OptionState& option) {
  return option.names.empty() ? option.value_name : option.names.back();
}

template <class Number>
Number parse_number(const OptionState& option, const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw usage_error(fmt::format("{}: '{}' is not {}", called(option), printable(text, 60),
                                  std::is_integral_v<Number> ? "an integer" : "a number"));
  return value;
}

void check_choice(const OptionState& option, const std::string& text) {
  if (option.choices.empty() ||
      std::find(option.choices.begin(), option.choices.end(), text) != option.choices.end())
    return;
  const std::string meant = nearest(text, option.choices);
  throw usage_error(fmt::format("{}: '{}' is not one of {}{}", called(option), printable(text, 60),
                                join(option.choices, ", "),
                                meant.empty() ? "" : "; did you mean '" + meant + "'?"));
}

/// Put one value from the command line where its option wants it.
void store(const OptionState& option, const std::string& text) {
  check_choice(option, text);
  std::visit(
      [&](auto* target) {
        using T = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<T, bool>)
          *target = true;
        else if constexpr (std::is_same_v<T, std::string> ||
                           std::is_same_v<T, std::optional<std::string>>)
          *target = text;
        else if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, std::optional<int64_t>>)
          *target = parse_number<int64_t>(option, text);
        else if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::optional<double>>)
          *target = parse_number<double>(option, text);
        else if constexpr (std::is_same_v<T, std::vector<std::string>>)
          target->push_back(text);
        else {
          try {
            *target = parse_duration(text);
          } catch (const Error& error) {
            throw usage_error(called(option) + ": " + error.what(), error.hint);
          }
        }
      },
      option.target);
}

std::string default_of(const OptionState& option) {
  if (!option.default_text.empty()) return option.default_text;
  return std::visit(
      [](auto* target) -> std::string {
        using T = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<T, std::string>)
          return *target;
        else if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, double>)
          return fmt::format("{}", *target);
        else if constexpr (std::is_same_v<T, Duration>)
          return human_duration(double(target->count()));
        else
          return "";
      },
      option.target);
}

/// Tell CLI11 about a command's options; values land in our own targets.
void add_to(CLI::App& app, CommandState& state) {
  app.set_help_flag();
  for (auto& owned : state.options) {
    OptionState* option = owned.get();
    const std::string names = join(option->names, ",");
    if (option->is_flag()) {
      app.add_flag_callback(names, [option] { *std::get<bool*>(option->target) = true; });
    } else {
      auto* added = app.add_option_function<std::vector<std::string>>(
          names, [option](const std::vector<std::string>& values) {
            for (const auto& value : values) store(*option, value);
          });
      added->expected(1)->allow_extra_args(false);
      option->is_list() ? added->take_all() : added->take_last();
    }
  }
  for (auto& owned : state.arguments) {
    OptionState* option = owned.get();
    auto* added = app.add_option_function<std::vector<std::string>>(
        option->value_name, [option](const std::vector<std::string>& values) {
          for (const auto& value : values) store(*option, value);
        });
    // A single one must not take the next one's word too.
    option->is_list() ? added->expected(0, 1 << 20) : added->expected(1)->allow_extra_args(false);
  }
}

void add_common(CLI::App& app) {
  app.add_flag("-h,--help", frame.help);
  app.add_flag("-V,--version", frame.version);
  app.add_flag("--describe", frame.describe);
  app.add_option("--generate", frame.generate);
  app.add_option("--format", frame.format);
  app.add_option("--state-dir", frame.state_dir);
}

std::vector<std::string> long_names(const CommandState& state) {
  std::vector<std::string> names;
  for (const auto& option : state.options)
    for (const auto& name : option->names) names.push_back(name);
  for (const auto& [name, unused] : common_options()) names.push_back(split(name, ',').back());
  return names;
}

/// CLI11's errors in our words, and never with its exit codes.
Error translated(const CLI::ParseError& error, const CLI::App& app, const CommandState& program,
                 const CommandState& state) {
  const std::string hint = "see " + program.name + " --help";
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    const auto rest = app.remaining(true);
    const std::string word = rest.empty() ? "" : rest.front();
    if (word.starts_with("-")) {
      const std::string name = word.substr(0, word.find('='));
      const std::string meant = nearest(name, long_names(state));
      return usage_error(fmt::format("unknown option '{}'{}", printable(name, 60),
                                     meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                         hint);
    }
    std::vector<std::string> known;
    for (const auto& sub : program.subcommands) known.push_back(Describer::state(*sub).name);
    const std::string meant = nearest(word, known);
    return usage_error(fmt::format("unexpected argument '{}'{}", printable(word, 60),
                                   meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                       hint);
  }
  std::string message = error.what();
  if (message.find("required TEXT missing") != message.npos)
    message = message.substr(0, message.find(':')) + ": needs a value";
  return usage_error(message, hint);
}

}  // namespace

std::string OptionState::key() const {
  if (names.empty()) {
    std::string key;
    for (char c : value_name)
      if (std::isalpha(static_cast<unsigned char>(c)) || c == '_')
        key += char(std::tolower(static_cast<unsigned char>(c)));
    return key;
  }
  return names.back().substr(names.back().find_first_not_of('-'));
}

const char* OptionState::type() const {
  if (is_flag()) return "boolean";
  if (std::holds_alternative<int64_t*>(target) ||
      std::holds_alternative<std::optional<int64_t>*>(target))
    return "integer";
  if (std::holds_alternative<double*>(target) ||
      std::holds_alternative<std::optional<double>*>(target))
    return "number";
  return "string";
}

OptionDeclaration& OptionDeclaration::choices(std::vector<std::string> values) {
  state_->choices = std::move(values);
  return *this;
}
OptionDeclaration& OptionDeclaration::required(bool told_by_work) {
  state_->required = true;
  state_->told_by_work = told_by_work;
  return *this;
}
OptionDeclaration& OptionDeclaration::default_text(std::string text) {
  state_->default_text = std::move(text);
  return *this;
}
OptionDeclaration& OptionDeclaration::hidden() {
  state_->hidden = true;
  return *this;
}
OptionDeclaration& OptionDeclaration::not_for_models() {
  state_->for_models = false;
  return *this;
}

Command::Command(std::unique_ptr<CommandState> state) : state_(std::move(state)) {}
Command::Command(Command&&) noexcept = default;
Command::~Command() = default;

OptionDeclaration Command::flag(const std::string& names, bool& target,
                                const std::string& sentence) {
  return OptionDeclaration{
      state_->options.emplace_back(make_option(names, &target, "", sentence)).get()};
}
OptionDeclaration Command::declare_option(const std::string& names, Target target,
                                          const std::string& value_name,
                                          const std::string& sentence) {
  auto& option = state_->options.emplace_back(make_option(names, target, value_name, sentence));
  option->default_text = default_of(*option);
  return OptionDeclaration{option.get()};
}
OptionDeclaration Command::declare_argument(const std::string& value_name, Target target,
                                            const std::string& sentence) {
  return OptionDeclaration{
      state_->arguments.emplace_back(make_option("", target, value_name, sentence)).get()};
}
OptionDeclaration Command::trailing_command(std::vector<std::string>& target,
                                            const std::string& sentence) {
  state_->trailing = make_option("", &target, "COMMAND", sentence);
  return OptionDeclaration{state_->trailing.get()};
}
Command& Command::example(const std::string& line, const std::string& sentence) {
  state_->examples.push_back({line, sentence});
  return *this;
}
Command& Command::hints(ToolHints hints) {
  state_->hints = std::move(hints);
  return *this;
}
void Command::add_schema(bool input, const std::string& kind, Json schema) {
  (input ? state_->reads : state_->writes).emplace_back(kind, std::move(schema));
}

Program::Program(const std::string& name, const std::string& sentence)
    : Command(std::make_unique<CommandState>()) {
  state_->name = name;
  state_->sentence = sentence;
}
Program::~Program() = default;

Command& Program::subcommand(const std::string& name, const std::string& sentence,
                             std::function<ExitCode()> work) {
  auto state = std::make_unique<CommandState>();
  state->name = name;
  state->sentence = sentence;
  state->work = std::move(work);
  state_->subcommands.push_back(std::unique_ptr<Command>(new Command(std::move(state))));
  return *state_->subcommands.back();
}
void Program::own_fault(ExitCode code) { state_->own_fault = code; }
void Program::exit_meaning(int code, const std::string& meaning) {
  state_->exit_meanings.emplace_back(code, meaning);
}
const std::string& Program::name() const { return state_->name; }

Format Program::format() const {
  if (frame.format == "json") return Format::json;
  if (frame.format == "text") return Format::text;
  return isatty(1) ? Format::text : Format::json;
}

bool Program::colour() const {
  const char* term = std::getenv("TERM");
  const char* none = std::getenv("NO_COLOR");
  return isatty(1) && !(none && *none) && !(term && std::string_view(term) == "dumb");
}

bool Program::stdin_has_documents() {
  struct stat in, null;
  if (isatty(0) || fstat(0, &in) != 0) return false;
  return !(stat("/dev/null", &null) == 0 && S_ISCHR(in.st_mode) && in.st_rdev == null.st_rdev);
}

std::vector<Json> Program::read_values(const std::vector<std::string>& kinds) {
  const std::string hint = kinds.empty() ? "" : "pipe " + maker_of(kinds[0]) + " into it";
  if (isatty(0))
    throw usage_error("stdin is a terminal; expected " + join(kinds, " or ") + " documents", hint);
  const auto values = parse_stream(read_all(0, max_input_bytes, "stdin"), "stdin");
  if (values.empty())
    throw usage_error(
        "stdin is empty; expected " + join(kinds, " or ") + " documents",
        "the program before this one (" + maker_of(kinds[0]) + "?) failed or printed nothing");
  return values;
}

void Program::write_out(std::string_view data) { write_all(1, data, "stdout"); }

void Program::warn(const std::string& message) { fmt::print(stderr, "{}: {}\n", name(), message); }

int Program::run(int argc, char** argv, const std::function<ExitCode()>& work) {
  return run_status(argc, argv, [&] { return int(work()); });
}

int Program::run_status(int argc, char** argv, const std::function<int()>& work) {
  const auto fail = [&](const Error& error) {
    const bool keep = error.code == ExitCode::timeout || error.code == ExitCode::not_found;
    const ExitCode code = state_->own_fault && !keep ? *state_->own_fault : error.code;
    fmt::print(stderr, "{}: {}\n", name(), error.what());
    if (format() == Format::text) {
      if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", error.hint);
    } else {
      Json line{{"schema", "schedcp.error/1"},
                {"program", name()},
                {"code", int(code)},
                {"message", error.what()}};
      if (!error.hint.empty()) line["hint"] = error.hint;
      if (error.code == ExitCode::busy) line["retry"] = true;
      fmt::print(stderr, "{}\n", dump(line));
    }
    return int(code);
  };
  try {
    catch_interrupts();
    claim_progress_fd();
    std::vector<std::string> words(argv + 1, argv + argc), trailing;
    const auto dashes = std::find(words.begin(), words.end(), "--");
    const bool has_trailing = dashes != words.end();
    if (has_trailing) trailing.assign(dashes + 1, words.end());
    words.erase(dashes, words.end());

    CLI::App app;
    add_to(app, *state_);
    add_common(app);
    std::vector<std::pair<CLI::App*, CommandState*>> subcommands;
    for (auto& sub : state_->subcommands) {
      CLI::App* added = app.add_subcommand(sub->state_->name);
      add_to(*added, *sub->state_);
      added->fallthrough();
      subcommands.emplace_back(added, sub->state_.get());
    }
    app.allow_extras(false);
    CommandState* chosen = state_.get();
    try {
      std::reverse(words.begin(), words.end());
      app.parse(words);
      for (auto& [sub, state] : subcommands)
        if (sub->parsed()) chosen = state;
    } catch (const CLI::ParseError& error) {
      for (auto& [sub, state] : subcommands)
        if (sub->parsed()) chosen = state;
      // Help wins over whatever else is wrong on the line.
      if (!frame.help && !frame.describe && !frame.version)
        throw translated(error, app, *state_, *chosen);
    }
    if (!frame.format.empty() && frame.format != "text" && frame.format != "json") {
      const std::string bad = std::exchange(frame.format, "");
      throw usage_error(fmt::format("--format: '{}' is not one of text, json", printable(bad, 60)));
    }
    if (!frame.state_dir.empty()) set_state_dir(frame.state_dir);
    if (frame.help)
      return write_out(help_text(*state_, chosen == state_.get() ? nullptr : chosen)), 0;
    if (frame.version) return write_out(fmt::format("{} {}\n", name(), SCHEDCP_VERSION)), 0;
    if (frame.describe) return write_out(describe(*state_).dump(2) + "\n"), 0;
    if (!frame.generate.empty()) return write_out(generate(*state_, frame.generate)), 0;

    const std::string hint = "see " + name() + " --help";
    for (const auto* list : {&chosen->options, &chosen->arguments})
      for (const auto& option : *list)
        if (option->required && !option->told_by_work &&
            !std::visit(
                [](auto* target) {
                  using T = std::remove_pointer_t<decltype(target)>;
                  if constexpr (requires { target->has_value(); })
                    return target->has_value();
                  else if constexpr (requires { target->empty(); })
                    return !target->empty();
                  else
                    return std::is_same_v<T, bool>;
                },
                option->target))
          throw usage_error(called(*option) + ": missing", hint);
    if (has_trailing && !chosen->trailing)
      throw usage_error("unexpected arguments after '--'", hint);
    if (chosen->trailing) {
      if (chosen->trailing->required && trailing.empty())
        throw usage_error("no command: write it after '--'", hint);
      *std::get<std::vector<std::string>*>(chosen->trailing->target) = std::move(trailing);
    }
    const int status = chosen->work ? int(chosen->work()) : work();
    return status;
  } catch (const Interrupted& interrupt) {
    fmt::print(stderr, "{}: interrupted\n", name());
    signal(interrupt.signal, SIG_DFL);
    raise(interrupt.signal);
    return 128 + interrupt.signal;
  } catch (const Error& error) {
    return fail(error);
  } catch (const std::bad_alloc&) {
    return fail(unable("out of memory"));
  } catch (const std::exception& error) {
    return fail(unable(std::string("unexpected failure: ") + error.what(),
                       "this is a fault of schedcp; report it with the command line"));
  }
}

}  // namespace schedcp
