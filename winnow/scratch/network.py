"""A fully connected network and its forward and backward pass, written out for a batch of B images (rows).

With a_0 the images, W_l [n_(l-1), n_l] and b_l [n_l] the parameters of layer l = 1 ... L, f the activation and p the
softmax:

    forward     z_l = a_(l-1) W_l + b_l,    a_l = f(z_l) for l < L,    p = softmax(z_L)
    backward    D_L = dL/dz_L  (losses.py),    D_l = (D_(l+1) W_(l+1)^T) * f'(z_l)
                dL/dW_l = a_(l-1)^T D_l,       dL/db_l = sum over rows of D_l

Source: Rumelhart, Hinton and Williams (1986), Nature 323; in this matrix form Nielsen (2015), Neural Networks and Deep
Learning, chapter 2, equations BP1 to BP4.

All parameters lie in one vector, weights first, and so does the gradient: an optimiser sees two vectors, a layer sees
views of them. A `Workspace` holds every array that the two passes write, so that a step allocates nothing of their
size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from winnow.errors import UserError
from winnow.scratch.activations import ACTIVATIONS
from winnow.scratch.initialisers import INITIALISERS
from winnow.scratch.losses import LOSSES, softmax
from winnow.scratch.memory import zeros
from winnow.scratch.names import canonical
from winnow.scratch.products import Products

SIZES = (784, 128, 64, 10)


class Network:
    """Layer sizes from the inputs to the classes, an activation, and the parameters (zero until `initialise`).

    UserError for fewer than two sizes, a size that is not a whole number of at least 1, or an unknown activation.
    """

    def __init__(self, sizes: Sequence[int] = SIZES, activation: str = "relu", dtype: DTypeLike = np.float32) -> None:
        self.sizes = tuple(sizes)
        if len(self.sizes) < 2 or not all(type(size) is int and size >= 1 for size in self.sizes):
            raise UserError(
                f"The layer sizes {list(sizes)} make no network: valid are at least two whole numbers of at least 1, "
                "the first that of the inputs and the last that of the classes."
            )
        self.activation = ACTIVATIONS[canonical("activation", activation, ACTIVATIONS)]
        self.pairs = list(zip(self.sizes[:-1], self.sizes[1:], strict=True))
        self.weight_count = sum(n * m for n, m in self.pairs)
        self.parameters = zeros(self.weight_count + sum(self.sizes[1:]), dtype)
        self.weights, self.biases = self.layers(self.parameters)
        self.power, self.shift, self.scale = np.ones(1, dtype), np.zeros(self.sizes[0], dtype), np.ones(1, dtype)

    def layers(self, vector: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """(weights [n, m], biases [m]) of each layer as views of a vector like `parameters`."""
        ends = np.cumsum([n * m for n, m in self.pairs] + [m for _, m in self.pairs])
        parts = np.split(vector, ends[:-1])
        depth = len(self.pairs)
        return [part.reshape(pair) for part, pair in zip(parts[:depth], self.pairs, strict=True)], parts[depth:]

    def named(self) -> dict[str, np.ndarray]:
        """`inputs.power` [1], `.shift` [inputs], `.scale` [1], `layer0.weight` [n, m], `layer0.bias` [m], ..."""
        found = {"inputs.power": self.power, "inputs.shift": self.shift, "inputs.scale": self.scale}
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            found |= {f"layer{i}.weight": weight, f"layer{i}.bias": bias}
        return found

    def initialise(self, name: str, generator: np.random.Generator) -> None:
        """Draw all weights by an initialiser's name; biases become zero. UserError for an unknown name."""
        draw = INITIALISERS[canonical("weight initialisation", name, INITIALISERS)]
        for weight, bias, (n, m) in zip(self.weights, self.biases, self.pairs, strict=True):
            weight[...] = draw(generator, n, m)
            bias.fill(0)


class Workspace:
    """The arrays of a network's passes over batches of `rows` images.

    Fill `inputs` [rows, n_0], call `forward`, then `loss`, then `backward`. UserError for an unknown loss.
    """

    def __init__(self, network: Network, rows: int, loss: str = "cross_entropy") -> None:
        self.network, self.loss_function = network, LOSSES[canonical("loss", loss, LOSSES)]
        dtype = network.parameters.dtype
        layers = [zeros((rows, size), dtype) for size in network.sizes]
        self.inputs, self.logits = layers[0], layers[-1]
        self.outputs = layers[:-1]  # a_0 ... a_(L-1): what each layer reads
        self.results = layers[1:]  # z_l, then a_l in the same memory
        self.products = [Products(a, m) for a, m in zip(self.outputs, network.sizes[1:], strict=True)]
        self.probabilities, self.targets = np.empty_like(self.logits), np.empty_like(self.logits)
        self.deltas = [zeros(result.shape, dtype) for result in self.results]  # D_1 ... D_L
        self.turned = [zeros(result.shape[::-1], dtype) for result in self.results[:-1]]  # W_(l+1) D_(l+1)^T
        self.slopes = [zeros(result.shape, dtype) for result in self.results[:-1]]
        self.ones = np.ones(rows, dtype)
        self.classes = np.eye(network.sizes[-1], dtype=dtype)

    def forward(self) -> np.ndarray:
        """The class probabilities [rows, classes] of `inputs`, in memory that the next call overwrites."""
        network, last = self.network, len(self.results) - 1
        for layer, (product, z) in enumerate(zip(self.products, self.results, strict=True)):
            product.forward(network.weights[layer], out=z)
            z += network.biases[layer]
            if layer < last:
                network.activation.apply(z)
        softmax(self.logits, self.probabilities)  # the logits become log p
        return self.probabilities

    def loss(self, labels: np.ndarray) -> float:
        """The loss of the last forward pass against labels [rows], which must lie in [0, classes)."""
        np.take(self.classes, labels, axis=0, out=self.targets, mode="clip")  # "raise" would go by way of a copy
        return self.loss_function.value(self.probabilities, self.logits, self.targets)

    def right(self, labels: np.ndarray) -> int:
        """How many of the labels [rows] have the largest probability; the first where several have."""
        return int(np.count_nonzero(self.probabilities.argmax(axis=1) == labels))

    def backward(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        """Write the gradient of the last `loss` to the views that `Network.layers` makes of a vector."""
        network = self.network
        self.loss_function.gradient(self.probabilities, self.targets, self.deltas[-1])
        for layer in reversed(range(len(self.deltas))):
            delta = self.deltas[layer]
            self.products[layer].gradient(delta, out=weights[layer])
            np.dot(self.ones, delta, out=biases[layer])  # the sum over rows
            if layer > 0:
                # D W^T as the transpose of W D^T, which reads the larger of the two matrices as it lies.
                turned, slope = self.turned[layer - 1], self.slopes[layer - 1]
                np.matmul(network.weights[layer], delta.T, out=turned)
                network.activation.slope(self.outputs[layer], slope)
                np.multiply(turned.T, slope, out=self.deltas[layer - 1])
