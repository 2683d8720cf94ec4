# A stand-in for Homebrew: `ruby stand_in_homebrew.rb FORMULA` loads a formula and prints, as JSON, what it says of itself,
# what its `install` does and what its service is. Only the words that a formula of ours may use are known.
require "json"
require "pathname"

CELLAR = Pathname("/opt/homebrew/Cellar/wilor-sidecar/0")

# The block of a service: each word is a key.
class Service
  attr_reader :said

  def initialize = @said = {}

  def opt_bin = Pathname("/opt/homebrew/opt/wilor-sidecar/bin")
  def var = Pathname("/opt/homebrew/var")

  %i[run keep_alive process_type working_dir log_path error_log_path].each do |word|
    define_method(word) { |*values, **named| @said[word] = named.empty? ? values.flatten.map(&:to_s) : named }
  end
end

class Formula
  @@facts = Hash.new { |facts, word| facts[word] = [] }
  @@service = nil

  def self.inherited(formula) = @@formula = formula
  def self.facts = @@facts

  %i[desc homepage url sha256 license depends_on].each do |word|
    define_singleton_method(word) { |*values, **named| @@facts[word] += named.empty? ? values : [named] }
  end

  def self.service(&block) = @@service = block
  def self.test(&block) = @@facts[:test] << !block.nil?

  def self.report
    formula = @@formula.new
    formula.install
    service = Service.new
    service.instance_eval(&@@service)
    { facts: @@facts, commands: formula.commands, links: formula.links, service: service.said }
  end

  attr_reader :commands, :links

  def initialize
    @commands = []
    @links = []
  end

  def libexec = CELLAR / "libexec"
  def buildpath = Pathname("/private/tmp/wilor-sidecar")
  def system(*command) = @commands << command.map(&:to_s)

  # Homebrew's folder of programs, which knows how to make links.
  def bin
    links = @links
    (CELLAR / "bin").tap { |path| path.define_singleton_method(:install_symlink) { |target| links << target.to_s } }
  end
end

load ARGV.fetch(0)
puts JSON.generate(Formula.report)
