import pytest
import torch
from torch import nn

from rivals.engine import cost as cost_module
from rivals.engine.cost import Cost, bytes_free, bytes_needed, cost, round_flops


def counted(make, *shape):
    with torch.device("meta"):
        return cost(make(), torch.zeros(2, *shape))


def test_a_linear_layer_takes_two_operations_a_weight():
    found = counted(lambda: nn.Linear(7, 5), 7)
    assert found == Cost(7 * 5 + 5, 2 * 7 * 5, 5)


@pytest.mark.parametrize(("stride", "side"), [(1, 10), (2, 5)])
def test_a_convolution_takes_its_kernel_at_every_output_pixel(stride, side):
    found = counted(lambda: nn.Conv2d(3, 8, 3, stride=stride, padding=1, bias=False), 3, 10, 10)
    assert found == Cost(8 * 3 * 9, 2 * 3 * 9 * 8 * side * side, 8 * side * side)


def test_a_grouped_convolution_takes_its_groups_share():
    found = counted(lambda: nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False), 8, 6, 6)
    assert found == Cost(8 * 2 * 9, 2 * 2 * 9 * 8 * 36, 8 * 36)


def test_a_transposed_convolution_takes_its_kernel_at_every_input_pixel():
    found = counted(lambda: nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1, bias=False), 6, 5, 5)
    assert found == Cost(6 * 4 * 16, 2 * 16 * 6 * 4 * 25, 4 * 100)


def test_costs_of_a_chain_add_up_and_hooks_are_taken_away():
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        found = cost(net, torch.zeros(2, 4))
        assert found == cost(net, torch.zeros(2, 4))
    assert found == Cost(15 + 8, 2 * (12 + 6), 3 + 3 + 2)
    assert not any(part._forward_hooks for part in net.modules())


def test_more_critic_steps_penalties_and_samples_cost_more():
    small, large = Cost(10, 100.0, 10), Cost(20, 200.0, 20)
    base = round_flops(small, large, penalties=0, critic_steps=1)
    assert base == (100 + 6 * 200) + 3 * 100 + 3 * 200
    assert round_flops(small, large, penalties=2, critic_steps=1) == base + 8 * 200
    assert round_flops(small, large, penalties=0, critic_steps=5) == base + 4 * (100 + 6 * 200)
    assert bytes_needed(small, large, batch=8, penalties=1) > bytes_needed(small, large, batch=4, penalties=1)


def test_free_memory_is_known_on_this_system_or_told_to_be_unknown():
    free = bytes_free(torch.device("cpu"))
    assert free is None or free > 0


def test_what_a_container_caches_counts_as_free(tmp_path, monkeypatch):
    group = tmp_path / "cgroup"
    group.mkdir()
    (group / "memory.max").write_text("1000\n")
    (group / "memory.current").write_text("900\n")
    (group / "memory.stat").write_text("anon 200\ninactive_file 400\nactive_file 300\n")
    monkeypatch.setattr(cost_module, "Path", lambda place: group if place == "/sys/fs/cgroup" else tmp_path / "none")
    assert cost_module.container_limit() == [800]
