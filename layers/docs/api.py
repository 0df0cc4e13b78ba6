"""Makes api.md from the signatures and docstrings: python docs/api.py."""

import inspect
import os
import re
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import fireclay
from fireclay import measures, plots

PAGE = os.path.join(HERE, "api.md")
CHAPTERS = [
    ("Threshold", "fireclay", ["ThresholdMinMax", "threshold_min_max_value"]),
    ("Gaussian filter", "fireclay", ["GaussianFilter", "gaussian_filter_block", "gaussian_kernel"]),
    ("Laplacian pyramid", "fireclay", ["LaplacianAnalysis", "LaplacianSynthesis"]),
    ("Residual networks", "fireclay", ["residual_block", "resnet"]),
    (
        "Distillation",
        "fireclay",
        [
            "Distiller",
            "DistillationLoss",
            "LabelledAccuracy",
            "distillation_loss",
            "TemperatureSoftmax",
            "softmax_with_temperature",
        ],
    ),
    ("Measures", "fireclay.measures", measures.__all__),
    ("Plots", "fireclay.plots", plots.__all__),
]
MODULES = {"fireclay": fireclay, "fireclay.measures": measures, "fireclay.plots": plots}


def signature(function):
    """Names and defaults, without types."""
    parameters = inspect.signature(function).parameters.values()
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters if each.name != "self"]
    return str(inspect.Signature(plain))


def methods(thing):
    """The methods of a class of its own that people call: a Distiller's."""
    if not inspect.isclass(thing) or thing.__bases__ != (object,):
        return []
    return [(name, each) for name, each in vars(thing).items() if inspect.isfunction(each) and name[0] != "_"]


def prose(docstring):
    """A docstring as Markdown: sections as lists, examples as code."""
    lines, section = [], False
    for line in docstring.splitlines():
        if re.match(r"(Args|Returns|Raises):$", line):
            section = True
            lines += ["**{}**".format(line[:-1]), ""]
            continue
        if section and line and not line.startswith(" "):
            section = False
        if section:
            line = re.sub(r"^    ((?:\w+, )*\w+): ", r"- `\1`: ", line)
            line = line[4:] if line.startswith("    ") else line
            line = "  " + line.strip() if line.startswith("    ") else line
        lines.append(line)
    return "\n".join(lines).rstrip()


def code(name, function):
    return ["```", name + signature(function), "```", ""]


def entry(module, name):
    thing = getattr(MODULES[module], name)
    lines = ["### {}.{}".format(module, name), ""]
    if isinstance(thing, type) and issubclass(thing, tuple):
        return [*lines, "`({})`: {}".format(", ".join(thing._fields), inspect.getdoc(thing)), ""]
    lines += code(name, thing.__init__ if inspect.isclass(thing) else thing)
    lines += [prose(inspect.getdoc(thing)), ""]
    for method, function in methods(thing):
        lines += ["#### {}.{}".format(name, method), "", *code(method, function), prose(inspect.getdoc(function)), ""]
    return lines


def page():
    lines = ["# Fireclay's API", "", "<!-- Made by docs/api.py from the docstrings: change those. -->", ""]
    for title, module, names in CHAPTERS:
        lines += ["## " + title, ""]
        if module != "fireclay":
            lines += [prose(inspect.getdoc(MODULES[module])), ""]
        for name in names:
            lines += entry(module, name)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page())
