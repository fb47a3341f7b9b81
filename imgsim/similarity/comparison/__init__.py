"""Every image compared with every other, exactly: arrays in, arrays out."""
