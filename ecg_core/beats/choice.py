def choose_beats(*a): raise NotImplementedError
