"""Two clones and a remote in a folder: who pulls what another has trained, trains nothing."""

import pytest
from checkout import stages_run

pytestmark = pytest.mark.pipeline


def test_a_clone_that_pulls_trains_nothing(origin, tmp_path):
    sender, receiver = origin.clone(tmp_path / "sender", shared_cache=True), origin.clone(tmp_path / "receiver")
    for checkout in (sender, receiver):
        checkout.dvc("remote", "add", "--quiet", "--local", "--default", "shelf", str(tmp_path / "shelf"))
    sender.dvc("push", "--quiet")
    assert not (receiver.folder / "data/train_mlp").exists()
    receiver.dvc("pull", "--quiet")
    log = receiver.dvc("repro")
    assert "up to date" in log and not stages_run(log)
    assert receiver.digests("data", "plots") == origin.digests("data", "plots")
    assert not receiver.run("git", "status", "--porcelain")
