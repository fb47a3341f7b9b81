#!/bin/sh
# Trains the networks that come with imgsim by its own command, and puts them into the package.
#
#   training/train.sh PRINTS FOLDER
#
# PRINTS is the collection of labelled prints; Wither, the seventh volume of Curtis and the Ship of
# Fools are left out, to be asked for by `python -m benchmarks retrieval`, and so are thumbnails.
# FOLDER takes the drawn pictures, the store and the checkpoints (700 MB). Interrupted, it goes on.
set -eu
prints=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")/.." && pwd)
export IMGSIM_HOME="$folder/home" LC_ALL=C.UTF-8

python "$here/training/draw.py" "$folder/drawn"

train() {
  name=$1
  shift
  imgsim model train "$@" --name "$name" --seed 0 --folder "$folder/$name" \
    "$prints"/curtis_botanical_magazine/v0[1-689]_* "$prints"/curtis_botanical_magazine/v1*_* \
    "$prints/ashton_chapbooks" "$prints/banbury_chapbooks" "$prints/bewick_select_fables" \
    "$prints/orbis_pictus" "$folder/drawn"
}

keep() {
  name=$1
  cp "$folder/$name/weights.pt" "$here/imgsim/networks/weights/$name.pt"
  cp "$folder/$name/weights.json" "$here/imgsim/networks/weights/$name.json"
}

train resnet18-print --from resnet18 --steps 900
keep resnet18-print
train resnet50-begun --from resnet50 --teacher resnet18-print \
  --steps 650 --batch-size 128 --sides 64 96 128
train resnet50-print --from resnet50-begun --teacher resnet18-print \
  --steps 150 --batch-size 128 --sides 96 112 128 --rate 0.0006
keep resnet50-print
