"""Pictures edited: damaged ones restored, small ones enlarged, those of one kind turned into another."""
