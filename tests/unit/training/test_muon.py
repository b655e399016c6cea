"""Muon turns hidden matrices by a fixed angle, leaves the rest to AdamW, and is resumed like any optimiser."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from aurl.training import OPTIMIZERS, MuonConfig
from aurl.training.muon import orthogonalised
from aurl.utils.errors import UnknownNameError


def model():
    torch.manual_seed(0)
    parts = {"embeddings": nn.Embedding(7, 4), "hidden": nn.Linear(4, 12), "outputs": nn.Linear(12, 7, bias=False)}
    return nn.ModuleDict(parts)


def give_gradients(parts, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for parameter in parts.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (32, 32)])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_singular_values_come_near_one_whatever_the_scale(shape, scale):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(3)) * scale
    update = orthogonalised(matrix)
    values = torch.linalg.svdvals(update)
    assert values[0] < 1.3
    assert values[len(values) // 4] > 0.6
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert ((update * (u @ v)).sum() / update.norm() / (u @ v).norm()) > 0.95  # the same singular vectors


def test_a_gradient_of_zero_moves_nothing():
    assert (orthogonalised(torch.zeros(4, 6)) == 0).all()


def test_only_hidden_matrices_are_muons():
    parts = model()
    optimizer = OPTIMIZERS.build(MuonConfig(muon_learning_rate=0.5, learning_rate=0.25), parts)
    by_rate = {group["lr"]: [id(p) for p in group["params"]] for group in optimizer.param_groups[:1]}
    assert by_rate == {0.5: [id(parts["hidden"].weight)]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4


def test_a_module_that_the_model_lacks_is_refused_unless_it_is_a_default():
    with pytest.raises(UnknownNameError, match="'outputs'"):
        OPTIMIZERS.build(MuonConfig(adamw_modules=("output",)), model())
    OPTIMIZERS.build(MuonConfig(), nn.ModuleDict({"hidden": nn.Linear(4, 3)}))


def test_an_update_is_a_turn_of_the_learning_rate_times_the_root_of_tallness():
    parts = model()
    before = parts["hidden"].weight.detach().clone()
    optimizer = OPTIMIZERS.build(MuonConfig(muon_learning_rate=0.1, weight_decay=0.0), parts)
    give_gradients(parts)
    expected = before - 0.1 * 3**0.5 * orthogonalised(parts["hidden"].weight.grad)  # 12 x 4; Nesterov keeps direction
    optimizer.step()
    torch.testing.assert_close(parts["hidden"].weight.detach(), expected)


def test_other_weights_move_as_with_adamw():
    ours, theirs = model(), model()
    muon = OPTIMIZERS.build(MuonConfig(), ours)
    adamw = OPTIMIZERS.build(OPTIMIZERS.parse("adamw"), theirs)
    for seed in range(3):
        for parts, optimizer in ((ours, muon), (theirs, adamw)):
            give_gradients(parts, seed)
            optimizer.step()
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, theirs.state_dict()[name]) == (name != "hidden.weight")


def test_a_restored_optimiser_goes_on_the_same():
    parts = model()
    optimizer = OPTIMIZERS.build(MuonConfig(), parts)
    give_gradients(parts)
    optimizer.step()
    copy = model()
    copy.load_state_dict(parts.state_dict())
    other = OPTIMIZERS.build(MuonConfig(), copy)
    other.load_state_dict(deepcopy(optimizer.state_dict()))
    for model_, opt in ((parts, optimizer), (copy, other)):
        give_gradients(model_, 2)
        opt.step()
    assert all(torch.equal(a, b) for a, b in zip(parts.parameters(), copy.parameters(), strict=True))
