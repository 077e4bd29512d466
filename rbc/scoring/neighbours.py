"""How an embedding mixes sessions and separates behaviours, by nearest neighbours.

N frames, D latent, C behaviours.
"""

import numpy as np
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 15


def session_mixing(z: np.ndarray, session: np.ndarray) -> float:
    """Share of the neighbours of frames z (N, D) that come from other sessions (N,), over the share expected if
    sessions did not matter: 1 is perfectly mixed, 0 is every session on its own."""
    neighbours = _neighbours(z, len(z))
    other = (session[neighbours] != session[:, None]).mean()
    size = np.unique(session, return_counts=True)[1] / len(session)
    return float(other / max(1 - (size**2).sum(), 1e-9))


def neighbour_agreement(z: np.ndarray, labels: np.ndarray, session: np.ndarray) -> float:
    """Mean Jaccard overlap of the labels (N, C) of frames and of their neighbours from other sessions."""
    present = labels == 1
    overlap, count = 0.0, 0
    for name in np.unique(session):
        own, rest = session == name, session != name
        if not own.any() or rest.sum() <= NEIGHBOURS:
            continue
        tree = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(z[rest])
        found = present[rest][tree.kneighbors(z[own], return_distance=False)]  # (n, k, C)
        mine = present[own][:, None]
        either = (found | mine).sum(-1)
        same = np.where(either > 0, (found & mine).sum(-1) / np.maximum(either, 1), 1.0)
        overlap, count = overlap + same.sum(), count + same.size
    return overlap / count if count else float("nan")


def silhouette(z: np.ndarray, labels: np.ndarray) -> float:
    """Silhouette of the frames that carry exactly one behaviour; NaN with fewer than two behaviours."""
    single = (labels == 1).sum(1) == 1
    names = labels[single].argmax(1)
    if len(np.unique(names)) < 2 or single.sum() <= len(np.unique(names)):
        return float("nan")
    return float(silhouette_score(z[single], names))


def _neighbours(z: np.ndarray, frames: int) -> np.ndarray:
    """(N, k) indices of the nearest other frames."""
    k = min(NEIGHBOURS, frames - 1)
    return NearestNeighbors(n_neighbors=k + 1).fit(z).kneighbors(z, return_distance=False)[:, 1:]
