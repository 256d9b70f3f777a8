// Prepares the command line before it is parsed: options that stand in front of the subcommand, and other ways of
// asking for help. Pure.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace pgpubsub::cli {

struct wrong_command_line : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Returns whether a value follows the option in the subcommands; no value if no subcommand has the option.
using option_lookup = std::function<std::optional<bool>(const std::string& name)>;

// Returns the arguments with the subcommand first and its options behind it. Returns --help or --version alone if that
// is requested in another way. Throws wrong_command_line.
inline std::vector<std::string> subcommand_first(std::vector<std::string> arguments,
                                                 const std::vector<std::string>& subcommands,
                                                 const option_lookup& takes_value) {
    std::vector<std::string> options;
    std::size_t i = 0;
    for (; i < arguments.size() && arguments[i].size() > 1 && arguments[i][0] == '-'; ++i) {
        const std::string& option = arguments[i];
        if (option == "--help" || option == "-h")
            return {"--help"};
        if (option == "--version" || option == "-V")
            return {"--version"};
        if (option == "--") {
            ++i;
            break;
        }
        const auto equals = option.find('=');
        const auto value = takes_value(option.substr(0, equals));
        if (!value)
            throw wrong_command_line("unknown option \"" + option.substr(0, equals) + '"');
        options.push_back(option);
        if (*value && equals == std::string::npos && i + 1 < arguments.size())
            options.push_back(arguments[++i]);
    }
    if (i == arguments.size())
        throw wrong_command_line("a subcommand is missing");
    const std::string name = arguments[i++];
    if (name == "version")
        return {"--version"};
    if (name == "help" && i == arguments.size())
        return {"--help"};
    const std::string& wanted = name == "help" ? arguments[i] : name;
    if (std::find(subcommands.begin(), subcommands.end(), wanted) == subcommands.end()) {
        std::string known;
        for (const auto& s : subcommands)
            known += (known.empty() ? "" : ", ") + s;
        throw wrong_command_line("unknown subcommand \"" + wanted + "\"; there are: " + known);
    }
    if (name == "help")
        return {wanted, "--help"};
    std::vector<std::string> result{name};
    result.insert(result.end(), options.begin(), options.end());
    result.insert(result.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
    return result;
}

// Returns the message about unknown arguments: it names the first of them, in the order in which they were given.
inline std::string unexpected(const std::vector<std::string>& arguments, const std::vector<std::string>& unknown) {
    for (const auto& argument : arguments) {
        if (std::find(unknown.begin(), unknown.end(), argument) == unknown.end())
            continue;
        const bool is_option = argument.size() > 1 && argument[0] == '-';
        return (is_option ? "unknown option \"" + argument.substr(0, argument.find('='))
                          : "unexpected argument \"" + argument) +
               '"';
    }
    return "an argument is not expected here";
}

}  // namespace pgpubsub::cli
