"""What goes wrong at the border, said once and completely."""


class RecordingError(ValueError):
    """One or more problems with recordings, each naming session, file, place, what was seen and what is needed."""

    def __init__(self, problems: str | list[str]):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        count = f"{len(self.problems)} problems with the recordings:\n  " if len(self.problems) > 1 else ""
        super().__init__(count + "\n  ".join(self.problems))
