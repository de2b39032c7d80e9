"""What the outcome of a classifier's ONNX graph owes to its inputs, as more nodes of the same graph.

Explaining needs gradients, and an ONNX graph has none. The classifiers are small and made of few operators, each of
which has a short rule, so the way back is written behind the way there and ONNX Runtime runs both: no TensorFlow is
loaded, and nothing is traced. `test_backward` compares with TensorFlow's gradients and shap's DeepExplainer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

_NODE = Any
"""An ``onnx.NodeProto``; its fields are not typed."""


BENDS: Final = ("Relu", "Softplus")
"""Operators that are no straight line: what a step through them counts is asked of a `Slope`."""


class NoRule(Exception):
    """An operator has no rule, or is used in a way that its rule does not know."""


class Backward:
    """A graph that grows a way back.

    Parameters
    ----------
    path : Path
        The classifier's ONNX file, with inputs ``waveform`` and ``context``.
    """

    def __init__(self, path: Path) -> None:
        import onnx

        self.model = onnx.shape_inference.infer_shapes(onnx.load(path))
        graph = self.model.graph
        self.forward: list[_NODE] = list(graph.node)
        self.logits: str = graph.output[0].name
        self.constants: dict[str, npt.NDArray[Any]] = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
        self._shape = {
            value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        self._made = 0

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Give a tensor's sizes; of the first, the beats, it is 0."""
        return self._shape[tensor]

    def constant(self, values: npt.NDArray[Any] | np.generic) -> str:
        """Keep an array in the graph, and name it."""
        import onnx

        name = self._name("constant")
        self.model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """Append a node, and name its output."""
        import onnx

        name = self._name(operator)
        self.model.graph.node.append(onnx.helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def input(self, name: str, shape: Sequence[int | None]) -> str:
        """Add an input of single precision; None is any size."""
        import onnx

        made = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        self.model.graph.input.append(made)
        return name

    def finished(self, outputs: Mapping[str, str]) -> bytes:
        """Give the graph as a file's bytes, with these tensors (by the names they get) as its outputs."""
        import onnx

        del self.model.graph.output[:]
        for name, tensor in outputs.items():
            self.model.graph.node.append(onnx.helper.make_node("Identity", [tensor], [name]))
            made = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            self.model.graph.output.append(made)
        return bytes(self.model.SerializeToString())

    def back(self, seed: str, to: Sequence[str], slope: Slope) -> list[str]:
        """Carry what is asked of the logits back to other tensors.

        Parameters
        ----------
        seed : str
            How much each logit counts, shape (n, 5).
        to : sequence of str
        slope : callable
            What a step through Relu or Softplus is multiplied by: see `derivative`.

        Returns
        -------
        list of str
            For each of `to`.

        Raises
        ------
        NoRule
            An operator between has no rule.
        """
        reached = set(to)
        for node in self.forward:
            if reached.intersection(node.input):
                reached.update(node.output)
        parts: dict[str, list[str]] = {self.logits: [seed]}
        for node in reversed(self.forward):
            if not parts.keys() & set(node.output) or not reached.intersection(node.input):
                continue
            if node.op_type not in _KNOWN:
                raise NoRule(f"There is no rule for {node.op_type}.")
            for name, part in self._through(node, self._sum(parts, node.output[0]), reached, slope):
                parts.setdefault(name, []).append(part)
        return [self._sum(parts, name) for name in to]

    def last_convolution(self) -> str:
        """Name what the last convolution gives, behind its bias and Relu, shape (0, channels, places).

        Raises
        ------
        NoRule
            There is none, or something else comes behind it.
        """
        after: dict[str, list[_NODE]] = {}
        for node in self.forward:
            for name in node.input:
                after.setdefault(name, []).append(node)
        node = next((node for node in reversed(self.forward) if node.op_type == "Conv"), None)
        while node is not None and node.op_type in ("Conv", "Squeeze", "Add"):
            (node,) = after[node.output[0]][:1] or (None,)
        if node is None or node.op_type != "Relu" or len(self.shape(node.output[0])) != 3:
            raise NoRule("The last convolution's map is not found.")
        return str(node.output[0])

    def _sum(self, parts: dict[str, list[str]], tensor: str) -> str:
        if len(parts[tensor]) > 1:
            parts[tensor] = [self.node("Sum", *parts[tensor])]
        return parts[tensor][0]

    def _through(self, node: _NODE, back: str, reached: set[str], slope: Slope) -> list[tuple[str, str]]:
        if node.op_type in BENDS:
            return [(node.input[0], slope(self, node, back))]
        attributes = {a.name: _value(a) for a in node.attribute}
        return [
            (name, _RULES[node.op_type](self, node, place, back, attributes))
            for place, name in enumerate(node.input)
            if name in reached
        ]

    def _name(self, kind: str) -> str:
        self._made += 1
        return f"back_{self._made}_{kind}"


Slope = Callable[[Backward, _NODE, str], str]


def derivative(b: Backward, node: _NODE, back: str) -> str:
    """Multiply by the function's derivative: what comes of it is the gradient."""
    if node.op_type == "Softplus":
        return b.node("Mul", back, b.node("Sigmoid", node.input[0]))
    import onnx

    # What came through as no 0: by way of bool, for its sign takes three times as long.
    through = b.node("Cast", node.output[0], to=onnx.TensorProto.BOOL)
    return b.node("Mul", back, b.node("Cast", through, to=onnx.TensorProto.FLOAT))


def guided(b: Backward, node: _NODE, back: str) -> str:
    """Let only pass what speaks for the class (guided backpropagation, Springenberg 2015)."""
    passed = derivative(b, node, back)
    return b.node("Relu", passed) if node.op_type == "Relu" else passed


def rescale(references: Mapping[str, npt.NDArray[np.float32]]) -> Slope:
    """Multiply by the difference of what comes out over that of what goes in (DeepLIFT's rescale rule).

    Shrikumar 2017, as shap's DeepExplainer: where what goes in hardly differs, it is the derivative.

    Parameters
    ----------
    references : mapping of str to ndarray
        What goes into each Relu and Softplus for the beats that are compared with, by tensor.
    """

    def slope(b: Backward, node: _NODE, back: str) -> str:
        x, reference = node.input[0], references[node.input[0]]
        moved = b.node("Sub", x, b.constant(reference))
        if node.op_type == "Relu":
            # The same as the quotient, and defined where both are alike: the higher of both over their distance,
            # at least 0 (neither comes through) and at most 1 (both do).
            far = b.node("Max", b.node("Abs", moved), b.constant(np.float32(1e-12)))
            quotient = b.node("Div", b.node("Max", x, b.constant(reference)), far)
            return b.node("Mul", back, b.node("Clip", quotient, *(b.constant(np.float32(edge)) for edge in (0, 1))))
        after = np.logaddexp(reference, 0).astype(np.float32)
        near = b.node("Less", b.node("Abs", moved), b.constant(np.float32(1e-6)))
        # What lies near is divided by 1 and not used.
        far = b.node("Where", near, b.constant(np.float32(1)), moved)
        quotient = b.node("Div", b.node("Sub", node.output[0], b.constant(after)), far)
        return b.node("Mul", back, b.node("Where", near, b.node("Sigmoid", x), quotient))

    return slope


def _value(attribute: onnx.AttributeProto) -> Any:  # noqa: ANN401 — a number or a list of them
    import onnx

    return onnx.helper.get_attribute_value(attribute)


_Rule = Callable[[Backward, _NODE, int, str, dict[str, Any]], str]


def _as_it_is(b: Backward, node: _NODE, place: int, back: str, attributes: dict[str, Any]) -> str:
    _demand(b.shape(node.input[place])[1:] == b.shape(node.output[0])[1:], node)
    return back if place == 0 or node.op_type == "Add" else b.node("Neg", back)


def _matmul(b: Backward, node: _NODE, place: int, back: str, attributes: dict[str, Any]) -> str:
    weights = _constant(b, node, 1)
    _demand(place == 0 and weights.ndim == 2, node)
    return b.node("MatMul", back, b.constant(np.ascontiguousarray(weights.T)))


def _conv(b: Backward, node: _NODE, place: int, back: str, attributes: dict[str, Any]) -> str:
    weights, size = _constant(b, node, 1), len(b.shape(node.input[0])) - 2
    _demand(attributes.get("group", 1) == 1 and set(attributes.get("dilations", (1,))) == {1}, node)
    _demand("auto_pad" not in attributes and place == 0, node)
    kernel, strides = weights.shape[2:], attributes.get("strides", [1] * size)
    pads = attributes.get("pads", [0] * 2 * size)
    if set(strides) == {1}:
        turned = np.swapaxes(np.flip(weights, tuple(range(2, 2 + size))), 0, 1)
        around = [kernel[i % size] - 1 - pad for i, pad in enumerate(pads)]
        return b.node("Conv", back, b.constant(np.ascontiguousarray(turned)), pads=around)
    there, here = b.shape(node.output[0])[2:], b.shape(node.input[0])[2:]
    missing = [here[i] - ((there[i] - 1) * strides[i] + kernel[i] - pads[i] - pads[i + size]) for i in range(size)]
    return b.node("ConvTranspose", back, node.input[1], strides=strides, pads=pads, output_padding=missing)


def _average_pool(b: Backward, node: _NODE, place: int, back: str, attributes: dict[str, Any]) -> str:
    kernel, here = attributes["kernel_shape"], b.shape(node.input[0])
    _demand(not any(attributes.get("pads", ())) and attributes["strides"] == kernel, node)
    _demand(set(kernel[:-1]) <= {1} and here[-1] == b.shape(node.output[0])[-1] * kernel[-1], node)
    each = b.constant(np.full(kernel[-1], 1 / kernel[-1], np.float32))
    spread = b.node("Mul", b.node("Unsqueeze", back, b.constant(np.array([len(here)]))), each)
    return b.node("Reshape", spread, b.constant(np.array([-1, *here[1:]])))


def _reshape(b: Backward, node: _NODE, place: int, back: str, attributes: dict[str, Any]) -> str:
    return b.node("Reshape", back, b.constant(np.array([-1, *b.shape(node.input[0])[1:]])))


def _transpose(b: Backward, node: _NODE, place: int, back: str, attributes: dict[str, Any]) -> str:
    return b.node("Transpose", back, perm=np.argsort(attributes["perm"]).tolist())


def _mean(b: Backward, node: _NODE, place: int, back: str, attributes: dict[str, Any]) -> str:
    axes, here = attributes["axes"], b.shape(node.input[0])
    if not attributes.get("keepdims", 1):
        back = b.node("Unsqueeze", back, b.constant(np.array(axes)))
    sizes = [here[axis] if axis in axes else 1 for axis in range(len(here))]
    return b.node("Mul", back, b.constant(np.full(sizes, 1 / np.prod(sizes), np.float32)))


def _slice(b: Backward, node: _NODE, place: int, back: str, attributes: dict[str, Any]) -> str:
    here = b.shape(node.input[0])
    starts, ends, axes = (_constant(b, node, i).tolist() for i in (1, 2, 3))
    _demand(place == 0 and (len(node.input) < 5 or set(_constant(b, node, 4).tolist()) == {1}), node)
    pads = np.zeros((2, len(here)), np.int64)
    for start, end, axis in zip(starts, ends, axes, strict=True):
        if axis == 0:
            _demand(start == 0 and end >= 2**31 - 1, node)
        else:
            first, last, _ = slice(start, end).indices(here[axis])
            pads[:, axis] = first, here[axis] - last
    return b.node("Pad", back, b.constant(pads.ravel()))


def _concat(b: Backward, node: _NODE, place: int, back: str, attributes: dict[str, Any]) -> str:
    axis = attributes["axis"]
    sizes = [b.shape(name)[axis] for name in node.input]
    ends = np.cumsum(sizes)
    bounds = (np.array([edge]) for edge in (ends[place] - sizes[place], ends[place], axis))
    return b.node("Slice", back, *map(b.constant, bounds))


_RULES: Final[Mapping[str, _Rule]] = {
    "Add": _as_it_is,
    "Sub": _as_it_is,
    "MatMul": _matmul,
    "Conv": _conv,
    "AveragePool": _average_pool,
    "Reshape": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Transpose": _transpose,
    "ReduceMean": _mean,
    "Slice": _slice,
    "Concat": _concat,
}
_KNOWN: Final = (*_RULES, *BENDS)


def _constant(b: Backward, node: _NODE, place: int) -> npt.NDArray[Any]:
    _demand(node.input[place] in b.constants, node)
    return b.constants[node.input[place]]


def _demand(met: bool, node: _NODE) -> None:
    if not met:
        raise NoRule(f"The rule for {node.op_type} does not know how {node.output[0]} uses it.")
