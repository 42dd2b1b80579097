"""Reports as one HTML file each: `html` is the page, `figures` draws for it. Every report of the package uses them."""
