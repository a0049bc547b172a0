// SPDX-License-Identifier: MIT
// From an object's instructions to steps. Field relocations are the identity (the structures are
// the object's own), enumerators and questions about the kernel are answered from its facts. What
// cannot be run becomes a trouble, which matters only if it is reached.
#include <bpf/btf.h>
#include <fmt/format.h>

#include "base/text.h"
#include "interp/engine.h"

namespace schedcp {
namespace {

// Newer than some headers.
constexpr uint8_t kMemSx = 0x80, kAtomic = 0xc0, kMayGoto = 0xe5;
constexpr int32_t kLoadAcquire = 0x100, kStoreRelease = 0x110;
/// enum bpf_core_relo_kind.
enum Relation : uint32_t {
  kFieldOffset = 0,
  kFieldExists = 2,
  kTypeExists = 8,
  kTypeMatches = 12,
  kEnumeratorExists = 10
};

class Decoder {
 public:
  Decoder(Engine& engine, const Function& function) : engine_(engine), function_(function) {}

  Code run() {
    Code code;
    code.function = &function_;
    code.ops.resize(function_.insns.size() + 1);
    op_ = &code.ops.back();
    wrong("runs off the end of the function");
    for (at_ = 0; at_ < function_.insns.size(); ++at_) {
      op_ = &code.ops[at_];
      insn_ = function_.insns[at_];
      reference_ = function_.reference(at_);
      if (!decode_one() || !wide()) continue;
      ++at_;
      op_ = &code.ops[at_];
      wrong("jumps into the middle of an instruction");
    }
    return code;
  }

 private:
  bool wide() const { return insn_.code == (BPF_LD | BPF_IMM | BPF_DW); }

  void trouble(Trouble trouble) {
    *op_ = {};
    op_->imm = int64_t(engine_.troubles.size());
    engine_.troubles.push_back(std::move(trouble));
  }
  void wrong(const std::string& what) { trouble({.kind = {}, .text = what}); }
  void absent(const std::string& what) {
    trouble({.fault = Fault::Kind::absent,
             .kind = {},
             .text = fmt::format("needs {}, which kernel {} does not have", printable(what),
                                 engine_.facts.release())});
  }
  void unmodelled(const std::string& kind, const std::string& name) {
    trouble({.unmodelled = true, .kind = kind, .text = name});
  }

  void set(Step step, int64_t imm = 0, int32_t off = 0) {
    op_->step = step;
    op_->dst = insn_.dst_reg;
    op_->src = insn_.src_reg;
    op_->imm = imm;
    op_->off = off;
  }
  /// The n-th of the steps that follow one another from `first`.
  void set_nth(Step first, unsigned n, int64_t imm, int32_t off) {
    set(Step(unsigned(first) + n), imm, off);
  }

  /// Whether the instruction became a step that is no trouble.
  bool decode_one() {
    if (insn_.dst_reg > 10 || insn_.src_reg > 10)
      return wrong("names a register beyond r10"), false;
    const uint8_t kind = BPF_CLASS(insn_.code);
    if (kind != BPF_LD && kind != BPF_JMP && reference_ && !relocate()) return false;
    op_->step = Step::trouble;
    switch (kind) {
      case BPF_LD:
        return wide() ? decode_wide() : (unknown(), false);
      case BPF_LDX:
        return decode_load();
      case BPF_ST:
      case BPF_STX:
        return decode_store();
      case BPF_ALU:
      case BPF_ALU64:
        return decode_alu(kind == BPF_ALU64);
      default:
        return decode_jump(kind == BPF_JMP);
    }
  }

  void unknown() { unmodelled("instruction", fmt::format("{:#04x}", insn_.code)); }

  /// The answer to a question about the kernel, or nothing, with a trouble set.
  std::optional<uint64_t> answer(int64_t local) {
    const Reference& ref = *reference_;
    const auto yes_or_no = [&](Exists exists, const char* kind) -> std::optional<uint64_t> {
      if (exists != Exists::unknown) return exists == Exists::yes;
      unmodelled(kind, ref.name);
      return std::nullopt;
    };
    if (ref.kind == Reference::Kind::enumerator) {
      if (const auto value = engine_.facts.enumerator(ref.name)) return *value;
      if (engine_.facts.has_enumerator(ref.name) == Exists::no)
        absent(ref.name);
      else
        unmodelled("enumerator", ref.name);
      return std::nullopt;
    }
    if (ref.kind == Reference::Kind::field) {
      if (engine_.facts.has_field(ref.name) == Exists::no) return absent(ref.name), std::nullopt;
      // task_struct___old may lay its fields out differently; there is one task_struct.
      if (!engine_.layout.has_variants(ref.name.substr(0, ref.name.find_first_of(".["))))
        return uint64_t(local);
      const auto place = engine_.layout.find(ref.name);
      if (!place) return unmodelled("field", ref.name), std::nullopt;
      return place->bits ? uint64_t(local) : place->offset;
    }
    switch (ref.relation) {
      case kFieldExists:
        return yes_or_no(engine_.facts.has_field(ref.name), "field");
      case kTypeExists:
      case kTypeMatches:
        return yes_or_no(engine_.facts.has_type(ref.name), "type");
      case kEnumeratorExists:
        return yes_or_no(engine_.facts.has_enumerator(ref.name), "enumerator");
      default:
        return uint64_t(local);  // sizes, shifts and ids of the object's own types
    }
  }

  bool is_question() const {
    return reference_->kind == Reference::Kind::field ||
           reference_->kind == Reference::Kind::enumerator ||
           reference_->kind == Reference::Kind::core;
  }

  /// Put a relocation's value where libbpf puts it.
  bool relocate() {
    if (!is_question()) return wrong("refers to what it cannot"), false;
    const uint8_t kind = BPF_CLASS(insn_.code);
    const bool is_alu = kind == BPF_ALU || kind == BPF_ALU64;
    const auto value = answer(is_alu ? insn_.imm : insn_.off);
    if (!value) return false;
    if (is_alu)
      insn_.imm = int32_t(*value);
    else if (reference_->kind == Reference::Kind::field)
      insn_.off = int16_t(*value);
    const int64_t kept = is_alu ? insn_.imm : insn_.off;
    if (uint64_t(kept) != *value && uint32_t(kept) != *value &&
        (is_alu || reference_->kind == Reference::Kind::field))
      return wrong("a relocated value does not fit"), false;
    return true;
  }

  bool decode_wide() {
    const bool whole = at_ + 1 < function_.insns.size();
    const bpf_insn second = whole ? function_.insns[at_ + 1] : bpf_insn{};
    if (!whole || second.code || insn_.dst_reg == 10) return wrong("loads half a constant"), false;
    const uint64_t local = uint32_t(insn_.imm) | uint64_t{uint32_t(second.imm)} << 32;
    set(Step::imm64, int64_t(local));
    if (!reference_) {
      if (insn_.src_reg) return wrong("loads what has no name"), false;
      return true;
    }
    const Reference& ref = *reference_;
    switch (ref.kind) {
      case Reference::Kind::map:
        return decode_map();
      case Reference::Kind::function:
        op_->imm = int64_t(Address{kCodeNumber} << 32 | ref.value);
        return true;
      case Reference::Kind::kfunc:
        return decode_extern();
      case Reference::Kind::data:
        return decode_data();
      default:
        if (const auto value = answer(int64_t(local))) return op_->imm = int64_t(*value), true;
        return false;
    }
  }

  bool decode_map() {
    for (size_t i = 0; i < engine_.maps.size(); ++i) {
      const MapSpec& spec = engine_.object.maps()[i];
      if (spec.name != reference_->name) continue;
      if (!engine_.maps[i]) return unmodelled("map type", spec.type_name), false;
      op_->imm = int64_t(Address{kMapNumber} << 32 | i);
      return true;
    }
    return wrong("refers to a map that is not described"), false;
  }

  bool decode_data() {
    const auto section = engine_.sections.find(reference_->section);
    if (section == engine_.sections.end()) return unmodelled("section", reference_->section), false;
    // Set by scx's loaders from the kernel's types; what nobody knows must not read as 0.
    if (const auto name = std::string_view(reference_->name);
        name.starts_with("__SCX_") &&
        engine_.facts.has_enumerator(name.substr(2)) == Exists::unknown)
      return unmodelled("enumerator", std::string(name.substr(2))), false;
    op_->imm = int64_t(section->second + uint32_t(reference_->value));
    return true;
  }

  size_t binding(const std::string& name) {
    for (size_t i = 0; i < engine_.bindings.size(); ++i)
      if (engine_.bindings[i].name == name) return i;
    engine_.bindings.push_back({.name = name,
                                .weak = reference_->weak,
                                .exists = engine_.facts.has_kfunc(name),
                                .builtin = find_kfunc_builtin(name)});
    return engine_.bindings.size() - 1;
  }

  /// A kernel function's address, or a variable that the loader fills in.
  bool decode_extern() {
    const btf* types = engine_.object.types();
    const int id = btf__find_by_name_kind(types, reference_->name.c_str(), BTF_KIND_VAR);
    if (id <= 0) {
      set(Step::kfunc_address, int64_t(binding(reference_->name)));
      return true;
    }
    if (reference_->name == "sd_llc_id") {
      if (!engine_.cache_ids)
        engine_.cache_ids =
            engine_.memory.add(size_t{4} * engine_.cpus, Memory::kReadOnly, "sd_llc_id");
      op_->imm = int64_t(engine_.cache_ids);
      return true;
    }
    const auto value = engine_.facts.setting(reference_->name);
    const int64_t size = btf__resolve_size(types, btf__type_by_id(types, uint32_t(id))->type);
    if (!value || (size != 1 && size != 4 && size != 8))
      return unmodelled("extern", reference_->name), false;
    Address& place = engine_.sections["extern " + reference_->name];
    if (!place) place = engine_.memory.add(size_t(size), Memory::kReadOnly, "a kernel setting");
    std::memcpy(engine_.memory.own(place, size_t(size)), &*value, size_t(size));
    op_->imm = int64_t(place);
    return true;
  }

  bool decode_load() {
    static constexpr Step kUnsigned[] = {Step::ldu32, Step::ldu16, Step::ldu8, Step::ldu64};
    static constexpr Step kSigned[] = {Step::lds32, Step::lds16, Step::lds8};
    const unsigned size = BPF_SIZE(insn_.code) >> 3, mode = BPF_MODE(insn_.code);
    if (insn_.dst_reg == 10) return wrong("writes the frame pointer"), false;
    if (mode != BPF_MEM && !(mode == kMemSx && size < 3)) return unknown(), false;
    return access(mode == BPF_MEM ? kUnsigned[size] : kSigned[size], insn_.src_reg, size, 1);
  }

  /// A load or store; stores take two steps for each kind of address.
  bool access(Step step, uint8_t base, unsigned size, unsigned stride, unsigned which = 0) {
    static constexpr int kBytes[] = {4, 2, 1, 8};
    bool frame = base == 10;
    if (frame && (insn_.off < -int(kFrameBytes) || insn_.off + kBytes[size] > 0))
      return trouble({.fault = Fault::Kind::bounds,
                      .kind = {},
                      .text = fmt::format("uses its stack at {}, which is not within {} bytes",
                                          insn_.off, kFrameBytes)}),
             false;
    set_nth(step, (frame ? stride : 0) + which, insn_.imm, insn_.off);
    return true;
  }

  bool decode_store() {
    static constexpr Step kSteps[] = {Step::st32_x, Step::st16_x, Step::st8_x, Step::st64_x};
    const unsigned size = BPF_SIZE(insn_.code) >> 3;
    const bool constant = BPF_CLASS(insn_.code) == BPF_ST;
    if (BPF_MODE(insn_.code) == kAtomic && !constant) return decode_atomic(size);
    if (BPF_MODE(insn_.code) != BPF_MEM) return unknown(), false;
    return access(kSteps[size], insn_.dst_reg, size, 2, constant);
  }

  bool decode_atomic(unsigned size) {
    if (insn_.imm == kLoadAcquire || insn_.imm == kStoreRelease) {
      insn_.code = uint8_t((insn_.imm == kLoadAcquire ? BPF_LDX : BPF_STX) | BPF_MEM | size << 3);
      return insn_.imm == kLoadAcquire ? decode_load() : decode_store();
    }
    const int32_t plain = insn_.imm & ~BPF_FETCH;
    const bool known = plain == BPF_ADD || plain == BPF_AND || plain == BPF_OR ||
                       plain == BPF_XOR || insn_.imm == BPF_XCHG || insn_.imm == BPF_CMPXCHG;
    if (!known || (BPF_SIZE(insn_.code) != BPF_W && BPF_SIZE(insn_.code) != BPF_DW))
      return unmodelled("instruction", fmt::format("{:#04x} ({:#x})", insn_.code, insn_.imm)),
             false;
    if (insn_.src_reg == 10 && (insn_.imm & BPF_FETCH))
      return wrong("writes the frame pointer"), false;
    set(BPF_SIZE(insn_.code) == BPF_W ? Step::atomic32 : Step::atomic64, insn_.imm, insn_.off);
    return true;
  }

  bool decode_alu(bool is_wide) {
    if (insn_.dst_reg == 10) return wrong("writes the frame pointer"), false;
    const bool constant = BPF_SRC(insn_.code) == BPF_K;
    const unsigned which = (is_wide ? 0 : 2) + (constant ? 0 : 1);
    const int64_t imm = insn_.imm;
    const auto plain = [&](Step first) { return set_nth(first, which, imm, 0), true; };
    const bool is_signed = insn_.off == 1;
    if (insn_.off &&
        !(is_signed && (BPF_OP(insn_.code) == BPF_DIV || BPF_OP(insn_.code) == BPF_MOD)) &&
        BPF_OP(insn_.code) != BPF_MOV)
      return unknown(), false;
    switch (BPF_OP(insn_.code)) {
      case BPF_ADD:
        return plain(Step::add_64k);
      case BPF_SUB:
        return plain(Step::sub_64k);
      case BPF_MUL:
        return plain(Step::mul_64k);
      case BPF_DIV:
        return plain(is_signed ? Step::sdiv_64k : Step::div_64k);
      case BPF_MOD:
        return plain(is_signed ? Step::smod_64k : Step::mod_64k);
      case BPF_AND:
        return plain(Step::and_64k);
      case BPF_OR:
        return plain(Step::or_64k);
      case BPF_XOR:
        return plain(Step::xor_64k);
      case BPF_LSH:
        return plain(Step::lsh_64k);
      case BPF_RSH:
        return plain(Step::rsh_64k);
      case BPF_ARSH:
        return plain(Step::arsh_64k);
      case BPF_NEG:
        return set(is_wide ? Step::neg_64 : Step::neg_32), true;
      case BPF_MOV:
        return insn_.off ? decode_extension(is_wide) : plain(Step::mov_64k);
      case BPF_END:
        return decode_swap(is_wide);
      default:
        return unknown(), false;
    }
  }

  bool decode_extension(bool is_wide) {
    if (BPF_SRC(insn_.code) == BPF_X && insn_.off == 8)
      return set(is_wide ? Step::sext8_64 : Step::sext8_32), true;
    if (BPF_SRC(insn_.code) == BPF_X && insn_.off == 16)
      return set(is_wide ? Step::sext16_64 : Step::sext16_32), true;
    if (BPF_SRC(insn_.code) == BPF_X && insn_.off == 32 && is_wide)
      return set(Step::sext32_64), true;
    if (is_wide && insn_.off == 1) return unmodelled("instruction", "addr_space_cast"), false;
    return unknown(), false;
  }

  bool decode_swap(bool is_wide) {
    // 64 bits wide it always swaps; 32 bits wide it converts to little (K) or big endian (X).
    const bool swaps = is_wide || BPF_SRC(insn_.code) == BPF_X;
    switch (insn_.imm) {
      case 16:
        return set(swaps ? Step::swap16 : Step::low16), true;
      case 32:
        return set(swaps ? Step::swap32 : Step::low32), true;
      case 64:
        return set(swaps ? Step::swap64 : Step::low64), true;
      default:
        return unknown(), false;
    }
  }

  bool jump(Step step, int64_t distance, int64_t imm) {
    const int64_t target = int64_t{at_} + 1 + distance;
    if (target < 0 || target > int64_t(function_.insns.size()))
      return wrong("jumps out of the function"), false;
    set(step, imm, int32_t(distance));
    return true;
  }

  bool decode_jump(bool is_wide) {
    static constexpr Step kNone = Step::trouble;
    static constexpr Step kSteps[16] = {
        kNone,          Step::jeq_64k,  Step::jgt_64k, Step::jge_64k, Step::jset_64k, Step::jne_64k,
        Step::jsgt_64k, Step::jsge_64k, kNone,         kNone,         Step::jlt_64k,  Step::jle_64k,
        Step::jslt_64k, Step::jsle_64k, kNone,         kNone};
    const uint8_t op = BPF_OP(insn_.code);
    if (op == BPF_JA && BPF_SRC(insn_.code) == BPF_K)
      return jump(Step::ja, is_wide ? insn_.off : insn_.imm, 0);
    if (insn_.code == kMayGoto) return jump(Step::may_goto, insn_.off, 0);
    if (is_wide && insn_.code == (BPF_JMP | BPF_EXIT)) return set(Step::exit), true;
    if (is_wide && insn_.code == (BPF_JMP | BPF_CALL)) return decode_call();
    const Step first = kSteps[op >> 4];
    if (first == kNone) return unknown(), false;
    const unsigned which = (is_wide ? 0 : 2) + (BPF_SRC(insn_.code) == BPF_K ? 0 : 1);
    return jump(Step(unsigned(first) + which), insn_.off, insn_.imm);
  }

  bool decode_call() {
    if (reference_ && reference_->kind == Reference::Kind::function)
      return set(Step::call_function, int64_t(reference_->value)), true;
    if (reference_ && reference_->kind == Reference::Kind::kfunc) {
      const size_t index = binding(reference_->name);
      if (engine_.bindings[index].exists == Exists::no)
        return absent(reference_->name + "()"), false;
      return set(Step::call_kfunc, int64_t(index)), true;
    }
    if (reference_ || insn_.src_reg) return wrong("calls what has no name"), false;
    const uint32_t number = uint32_t(insn_.imm);
    const Builtin helper = find_helper(number);
    if (!helper) {
      const std::string_view name = helper_name(number);
      return unmodelled("helper",
                        name.empty() ? std::to_string(number) : fmt::format("bpf_{}", name)),
             false;
    }
    return set(Step::call_helper, int64_t(reinterpret_cast<intptr_t>(helper))), true;
  }

  Engine& engine_;
  const Function& function_;
  uint32_t at_ = 0;
  bpf_insn insn_{};
  const Reference* reference_ = nullptr;
  Op* op_ = nullptr;
};

}  // namespace

void decode(Engine& engine) {
  for (const auto& function : engine.object.functions())
    engine.codes.push_back(Decoder(engine, function).run());
}

}  // namespace schedcp
