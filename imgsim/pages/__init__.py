"""Pages and the regions on them that are pictures: found elsewhere, kept, accepted or rejected."""
